/*
 * A command of the user's as root of namespaces: of a running engine's, or of fresh ones.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/cli/options.h"

struct err;

/** The options that `run` and `shell` share; embed it first in their config. */
struct session {
    const char *engine; /**< NULL: fresh namespaces */
    const char *state_dir;
    bool network; /**< an engine's detached network too */
    const char *net;
    struct cli_list publish;
    bool dry_run;
};

#define SESSION_OPTIONS 6
extern const struct cli_option session_options[SESSION_OPTIONS];

/**
 * Becomes the command, or prints with --dry-run what would be executed.
 * @param argv  NULL-ended
 * @return 0 (printed), or -errno: -EINVAL for options that do not go together
 */
int session_run(const struct session *session, char *const *argv, struct err *err);
