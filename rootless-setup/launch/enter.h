/*
 * Into the namespaces of a running engine, as root of them.
 *
 * The kernel lets nobody in but their owner: what the state directory says only has to be right,
 * not trusted.
 */
#pragma once

#include <stdbool.h>

#include "rootless-setup/engine/engine.h"

struct err;

/**
 * Moves this process into the user, mount, network and further namespaces of the engine's, but not
 * into a pid namespace, and sets the variables that its processes have. The working directory is
 * kept where it exists there.
 * @param state_dir  rootlesskit's
 * @param network    the containers' network too, where that is detached
 * @return 0, or -errno: -ESRCH when the engine does not run
 */
int enter_engine(const struct engine *engine, const struct engine_dirs *dirs, const char *state_dir,
                 bool network, struct err *err);
