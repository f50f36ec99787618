/*
 * One engine of one user's: where its files are, and what is there of them. Read alike by install,
 * uninstall and status; runs as the user.
 */
#pragma once

#include <stdbool.h>

#include "rootless-setup/check/probe.h"
#include "rootless-setup/engine/engine.h"
#include "rootless-setup/fix/place.h"
#include "rootless-setup/install/manager.h"
#include "rootless-setup/install/own.h"

struct setup {
    const struct engine *engine;
    const struct check_context *context;
    struct engine_dirs dirs;
    struct place place;
    enum manager manager;
    char silence[512];      /**< why the manager is silent */
    char unit_path[4200];   /**< of the unit that we write */
    char script_path[4200]; /**< of the script, where no systemd runs */
    char socket[4200];      /**< "" when the engine has none, or no runtime directory is set */
    char state[4200];       /**< likewise */
    struct own_file unit, script;
};

/** Puts our own directory and those of the system's tools into $PATH, so that this suite's programs
 *  are found before others of their names. Once, as the user, before all else here. */
void setup_search(const struct check_facts *facts);
/**
 * Looks.
 * @return 0 or -errno; setup_close() in any case
 */
int setup_open(const struct engine *engine, const struct check_context *context, struct setup *ret,
               struct err *err);
void setup_close(struct setup *setup);

/** The link that has systemd start the unit at login. @return 0 or -ENAMETOOLONG */
int setup_wants_path(const struct setup *setup, char *ret, size_t size);
/** Where a file goes that makes way: one of ours with edits of the user's (@p edited), or another's
 *  that comes back with uninstall. @return 0 or -ENAMETOOLONG */
int setup_aside_path(const char *path, bool edited, char *ret, size_t size);
/** True when the user's services start at boot and outlive logins. */
bool setup_lingers(const struct check_context *context);
