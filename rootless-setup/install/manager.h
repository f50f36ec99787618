/*
 * The user's service manager (systemd --user), asked and told through systemctl.
 */
#pragma once

#include <stdbool.h>

#include "rootless-setup/install/deed.h"

struct err;

enum manager {
    MANAGER_NONE,   /**< this machine runs without systemd */
    MANAGER_SILENT, /**< systemd runs, but not, or not reachably, for this user */
    MANAGER_ANSWERS,
};

/** What systemd says of a unit; "" for what it did not say. */
struct unit {
    char load[32];       /**< loaded, not-found, masked, bad-setting, ... */
    char active[32];     /**< active, activating, failed, inactive, ... */
    char sub[32];        /**< running, dead, auto-restart, listening, ... */
    char file[32];       /**< enabled, disabled, static, masked, ... */
    char result[32];     /**< why it ended: success, exit-code, start-limit-hit, ... */
    char path[4096];     /**< the file systemd read */
    char drop_ins[4096]; /**< files that change it, blanks between */
    char reload[8];      /**< yes: the file is newer than what systemd read */
    unsigned restarts;
    unsigned pid; /**< 0: no process */
};

/** @param systemd  whether systemd is pid 1 @param err  why it is silent */
enum manager manager_find(bool systemd, struct err *err);
/** Waits up to @p seconds until it answers. */
bool manager_wait(unsigned seconds);
/** @return 0 also for a unit that there is not */
int manager_unit(const char *name, struct unit *ret, struct err *err);
/** True for a unit that runs, or is about to. */
bool unit_runs(const struct unit *unit);
/** True for one that has nothing to be stopped: neither a process, nor another start ahead. */
bool unit_ended(const struct unit *unit);

/** systemctl --user VERB [NAME], as a step. */
int manager_do(struct deeds *deeds, const char *verb, const char *name, struct err *err);
/** The last lines that a unit wrote, or "". */
void manager_journal(const char *name, char *ret, size_t size);
