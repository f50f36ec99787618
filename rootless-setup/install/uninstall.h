/*
 * Takes back what install did: ends the engine, removes the unit or script, brings back the file
 * that stood in its place, restores docker's context. Works on a host where nothing else does, and
 * leaves images and containers alone unless it is asked to purge.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "rootless-setup/install/setup.h"

struct err;

struct uninstall_options {
    bool dry_run;
    bool purge;
    bool yes; /**< purge without asking */
};

/** @return 0, or -errno; -ECANCELED when the user said no */
int uninstall_run(struct setup *setup, const struct uninstall_options *options, FILE *out,
                  struct err *err);
