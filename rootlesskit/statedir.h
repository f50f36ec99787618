/*
 * The state directory: where a running rootlesskit keeps its lock, child_pid, api.sock and the
 * files the child mounts. One instance a directory, held by flock(2) on its `lock` file; the child
 * inherits the lock, so it is free only when the last process of an instance is gone.
 *
 * Only the names below are ever removed: a directory with other files in it keeps them.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>

struct err;

struct statedir {
    char path[PATH_MAX]; /**< absolute */
    int fd;              /**< the directory; LOCK_SH on it keeps systemd-tmpfiles away */
    int above_fd;        /**< the directory it is in, to remove it by name */
    char name[NAME_MAX + 1];
    int lock_fd;
};

#define STATEDIR_UNSET                                      \
    {                                                       \
        .fd = -EBADF, .above_fd = -EBADF, .lock_fd = -EBADF \
    }

/**
 * Creates (0700) or takes over @p path; NULL makes a new one in $TMPDIR or /tmp. Waits a moment
 * for an instance that is just ending; files of a dead instance are removed.
 * @return 0; -EBUSY when another instance runs there; -errno
 */
int statedir_open(struct statedir *state, const char *path, struct err *err);
/** Other users' processes may reach what is in it and open to them, but not list it. */
int statedir_let_through(const struct statedir *state, struct err *err);
/** Removes our files and, if it is then empty, the directory. Works from the child too. */
void statedir_remove(struct statedir *state);
/** Closes the fds without removing anything. */
void statedir_close(struct statedir *state);
