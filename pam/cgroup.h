/*
 * A subtree of cgroup v2 for each user, where no systemd gives one.
 *
 *     /sys/fs/cgroup/user.slice/user-1000.slice          his: he makes groups and moves processes
 *         session-4                                      made for each session, empty otherwise
 *         engine-4                                       of one that is started here
 *
 * The names are those of systemd: engines look for them. A session's group is always a new one that
 * root made, so that nobody logs in into a group that was prepared for him, frozen or without
 * memory; the limits of the whole subtree stay root's.
 */
#pragma once

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct notes;
struct subject;

/** Whether there is a cgroup v2 tree at /sys/fs/cgroup that is ours to divide. @return 1 or 0 */
int cgroup_is_ours(void);
/** Makes the user's subtree, or uses the one that is there. @param notes  what could not be had
 *  @return 0 or -errno */
int cgroup_make(const struct subject *subject, struct notes *notes, struct err *err);
/** Where a process is. @return 1 when that is outside the user's subtree, 0 within, or -errno */
int cgroup_outside(uid_t uid, pid_t pid, char ret[PATH_MAX]);
/** Moves a process into a new group of the subtree. @param name  "session-4"; an empty one that is
 *  left of that name goes first. @return 0 or -errno */
int cgroup_enter(const struct subject *subject, const char *name, pid_t pid, struct err *err);
/** Puts a process back where it was, if it is still in the user's subtree. @param origin  as
 *  cgroup_outside() told; gone by now: the root */
void cgroup_leave(uid_t uid, pid_t pid, const char *origin);
/** Removes the groups of sessions that nobody is in. */
void cgroup_sweep(uid_t uid);
/** Removes the subtree. @return 0, or -errno when something is left of it: mostly -EBUSY, processes
 */
int cgroup_remove(uid_t uid, int64_t deadline);
