/*
 * The user's engine: `rootless-setup launch` as the user, in the background.
 */
#pragma once

#include "pam/state.h"

struct err;
struct subject;

/**
 * Starts it; runs in the helper.
 * @param name    of the engine
 * @param group   of its own in the user's cgroup subtree: "engine-4"; NULL: he has none
 * @return 0 with the process, or -errno. Whether it comes up is in its log, engine-NAME.log in
 *         ~/.local/state/rootless-toolkit.
 */
int engine_start(const struct subject *subject, const char *name, const char *group,
                 struct state_process *ret, struct err *err);
/** Tells it to end. @return 0, or -ESRCH when it is gone */
int engine_stop(const struct state_process *process);
/** Waits for its end, up to @p limit_ms; then kills it. */
void engine_await(const struct state_process *process, int limit_ms);
