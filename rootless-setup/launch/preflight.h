/*
 * What must be there before an engine is started, each with one line that says what is missing and
 * which check of `rootless-setup check` knows more.
 */
#pragma once

#include "rootless-setup/engine/engine.h"

struct err;

/** An ordinary user, with a home directory and a runtime directory. */
int preflight_user(struct engine_dirs *ret, struct err *err);
/** newuidmap, newgidmap and the daemon. @param daemon  words */
int preflight_programs(const struct engine *engine, const char *daemon, struct err *err);
/** The engine does not run yet. @param state_dir  NULL: it is not one of rootlesskit's */
int preflight_alone(const struct engine *engine, const struct engine_dirs *dirs,
                    const char *state_dir, struct err *err);
