/*
 * The option --user, the same in every command that looks at somebody's readiness, and how the
 * context of checks is found from it.
 */
#pragma once

#include <stddef.h>

#include "lib/cli/options.h"
#include "rootless-setup/check/probe.h"

struct err;

/** The row of an option table whose config has the field `const char *user`. */
#define OPTION_USER(config_type)                                                                  \
    {                                                                                             \
        .name = "user", .letter = 'u', .kind = CLI_STRING, .offset = offsetof(config_type, user), \
        .value = "USER",                                                                          \
        .help = "for whom: root may name anybody (default: who called sudo, or the caller)"       \
    }

/**
 * Finds the user, this host and its distribution, for checks of this system.
 * @param user  as the option was given; NULL: its default
 * @return 0, or -errno with a message; -ENXIO when root names nobody, and nobody called sudo
 */
int subject_context(const char *user, struct check_context *ret, struct err *err);
