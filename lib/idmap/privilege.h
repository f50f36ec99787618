/*
 * What a privileged program here holds, and when. Only the two map helpers and the broker use it.
 *
 *   entry    every capability but those a map can need leaves the permitted set, the effective set
 *            is empty: the program runs as its caller. no_new_privs, not dumpable, no environment.
 *   raise    right before the files are opened: exactly what this map needs becomes effective.
 *            (The kernel asks the opener and the writer, so it stays until the write.)
 *   confine  after the open: a seccomp list of what is left to do, on the very fds.
 *   drop     after the write: nothing is left, permitted included.
 *
 * Capabilities are set with the bare system calls and the filter is written out: libcap and
 * libseccomp allocate, and would cost more than all the rest of the program's own work.
 */
#pragma once

#include <stdbool.h>

#include "lib/subid/subid.h"

struct err;

/** What idmap_begin() found; needed for a helpful message should the capability be missing. */
struct idmap_privilege {
    enum subid_kind kind;
    bool capable;          /**< the process has the capability that every map of its kind needs */
    bool had_no_new_privs; /**< the caller had set no_new_privs, so the file's bits were ignored */
};

/**
 * To be called first in main, before argv is looked at. A set-user-ID-root program becomes its
 * caller in all three uids here. @return 0 or -errno
 */
int idmap_begin(enum subid_kind kind, struct idmap_privilege *ret, struct err *err);
/** Closes every fd above 2 but @p keep (-1: none). */
void idmap_close_fds(int keep);
/**
 * Makes CAP_SETUID or CAP_SETGID effective, and CAP_SETFCAP if @p maps_root (a map of the parent's
 * uid 0 needs it) and the process has it. @return 0, or -EPERM with the reason it is not there
 */
int idmap_raise(const struct idmap_privilege *privilege, bool maps_root, struct err *err);
/**
 * Leaves: write to stderr, @p map_fd and @p setgroups_fd, read from the latter (-1: none), close,
 * capset, exit. Anything else kills the process. A kernel without seccomp is no error.
 */
int idmap_confine(int map_fd, int setgroups_fd, struct err *err);
/** Gives up what is left. Also in a child that is to run somebody else's code. @return 0 or -errno
 */
int idmap_drop(void);
