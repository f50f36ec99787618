/*
 * An engine as a service of the user's: the command, and the environment it needs wherever it is
 * started, as a systemd user unit or as a shell script where no systemd runs.
 *
 * Both start `rootless-setup launch ENGINE`. What the login says now is kept in them, because a
 * service is started by nobody's login: $PATH, the directories of the XDG specification, and the
 * engine's own variables.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "rootless-setup/engine/engine.h"

struct err;

#define SERVICE_PATH_MAX 32768
#define SERVICE_VARIABLES_MAX 64

struct service {
    const struct engine *engine;
    char self[4096];                              /**< this program */
    char path[SERVICE_PATH_MAX];                  /**< $PATH */
    const char *variables[SERVICE_VARIABLES_MAX]; /**< NAME=VALUE, in our environment */
    size_t n_variables;
    char runtime_dir[4096];  /**< XDG_RUNTIME_DIR, for a script; "" when not known */
    const char *const *args; /**< for the daemon, behind its own */
    size_t n_args;
    bool path_cut; /**< a directory of $PATH was left out: relative, or not UTF-8 */
};

/**
 * Gathers it from the environment of this process, which is the user's.
 * @param args  borrowed
 * @return 0 or -errno: what systemd could not be told is refused
 */
int service_gather(const struct engine *engine, const struct engine_dirs *dirs,
                   const char *const *args, size_t n_args, struct service *ret, struct err *err);
/** The unit's text. */
void service_unit(const struct service *service, FILE *out);
/** The script's text: run in the foreground, it ends with the engine. */
void service_script(const struct service *service, FILE *out);
