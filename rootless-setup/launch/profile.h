/*
 * What launch alone knows of an engine: which version of it can do without a network of its own,
 * what is prepared for it, and where. The rest is in engine/engine.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "rootless-setup/engine/engine.h"

/** The first version of a program with which the engine may stay in the host's network while its
 *  containers have rootlesskit's (--detach-netns). */
struct launch_detaching {
    const char *program; /**< NULL: none can */
    unsigned major, minor;
    bool if_absent; /**< what counts when there is no such program */
};

/** A directory of the user's that takes the place of one of the machine's. */
struct launch_bind {
    struct engine_path from;
    const char *to;
};

#define LAUNCH_BINDS_MAX 5

struct launch_profile {
    const char *engine;
    const char *flags_variable; /**< further arguments of the daemon, or NULL */
    const char *const
        *warm_up; /**< NULL-ended: what the daemon's program does before it, or NULL */

    /* For an engine inside rootlesskit. */
    struct launch_detaching detaching;
    const char *const *links; /**< NULL-ended: entries of the machine's that must not be seen */
    struct launch_bind binds[LAUNCH_BINDS_MAX]; /**< ended by one without a target */
    bool forwarding;                            /**< IP forwarding is switched on for it */
};

/** NULL for an engine that needs nothing of this; each inside rootlesskit has one. */
const struct launch_profile *launch_profile_find(const struct engine *engine);
