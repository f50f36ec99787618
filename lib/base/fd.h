/*
 * File descriptors: one cleanup idiom and the start-up hygiene of every program here.
 *
 * An fd variable starts as -EBADF and carries `cleanup_close`; ownership is passed on with
 * take_fd(). A parameter named `fd` is borrowed, one named `take_fd...` is consumed.
 */
#pragma once

#include <errno.h>
#include <stddef.h>

/** Closes @p fd if it is >= 0; never retried (Linux releases the number even on EINTR). errno is
 * kept.
 *  @return -EBADF, so that `fd = fd_close(fd)` also forgets the number. */
int fd_close(int fd);

void fd_cleanup(int *fd);
#define cleanup_close __attribute__((cleanup(fd_cleanup)))

/** Hands the fd over to the caller and leaves -EBADF behind. */
static inline int take_fd(int *fd)
{
    int taken = *fd;
    *fd = -EBADF;
    return taken;
}

/**
 * Makes fds 0-2 exist (/dev/null where one is closed), so that no later open() lands on stderr.
 * @return 0, or -errno when /dev/null cannot be opened
 */
int fd_fill_std(void);

/** Closes every fd >= @p first (close_range(2), Linux 5.9; glibc falls back to /proc/self/fd). */
void fd_close_from(int first);

/** Closes every fd but 0-2 and the @p n in @p keep (which it sorts): for a process forked to do one
 *  thing. */
void fd_close_except(int *keep, size_t n);
