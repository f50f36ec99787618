/*
 * The two flags of a file descriptor that change during its life.
 */
#pragma once

/** Sets or clears O_NONBLOCK. @return 0 or -errno */
int fdflag_nonblock(int fd, int on);
/** Sets or clears FD_CLOEXEC. @return 0 or -errno */
int fdflag_cloexec(int fd, int on);
