/*
 * Makes an engine a service of the user's: a systemd user unit that runs now and at every login, or
 * where no systemd runs a script that starts it; the endpoint of docker's client; what there is to
 * know about it. Whatever is in order already is left alone, so a second run does nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "rootless-setup/install/setup.h"

struct err;

struct install_options {
    bool dry_run;
    bool force;    /**< also where the service manager is silent or something else listens */
    bool no_start; /**< only for the next login */
    bool no_context;
    bool linger;
    const char *const *args; /**< for the daemon */
    size_t n_args;
};

/** @return 0, or -errno */
int install_run(struct setup *setup, const struct install_options *options, FILE *out,
                struct err *err);
/** @return 0, or -ENOENT: the message says what to install */
int install_find_programs(const struct engine *engine, struct err *err);
