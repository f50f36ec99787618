/*
 * newuidmap and newgidmap, as a library: everything the privileged programs can do.
 *
 * A request is read (no file, no privilege), then applied: the target is opened, the caller found,
 * the policy asked, and only then is the one capability raised, for two system calls: opening
 * /proc/PID/uid_map (or gid_map) and one write(2) to it. newgidmap may write "deny" to
 * /proc/PID/setgroups before. No other file is ever opened for writing, no heap is used.
 *
 * A hostile caller chooses argv, the environment, open fds, limits, signals, and the target. Why
 * each step is safe against that is said in SECURITY.md and above the code.
 */
#pragma once

#include "lib/idmap/extent.h"
#include "lib/idmap/privilege.h"
#include "lib/idmap/target.h"

struct err;

/** Shadow's own words, which callers print. */
#define IDMAP_UID_USAGE                                             \
    "usage: newuidmap [<pid>|fd:<pidfd>] <uid> <loweruid> <count> " \
    "[ <uid> <loweruid> <count> ] ...\n"
#define IDMAP_GID_USAGE                                             \
    "usage: newgidmap [<pid>|fd:<pidfd>] <gid> <lowergid> <count> " \
    "[ <gid> <lowergid> <count> ] ...\n"

struct idmap_request {
    enum subid_kind kind;
    struct idmap_target target;
    struct idmap_extents extents;
};

/**
 * Reads "TARGET INSIDE OUTSIDE COUNT [INSIDE OUTSIDE COUNT]..." and refuses what the kernel would.
 * @return 0 or -errno: the command line is wrong, usage is worth showing
 */
int idmap_parse(enum subid_kind kind, int n_words, char *const *words, struct idmap_request *ret,
                struct err *err);
/**
 * Does what the request asks, or nothing. The one thing that can stay behind on failure is "deny"
 * in the target's setgroups file. Capabilities and seccomp make this the last act of a process.
 * @return 0 or -errno
 */
int idmap_apply(const struct idmap_privilege *privilege, const struct idmap_request *request,
                struct err *err);
