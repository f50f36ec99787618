#include "lib/base/fd.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int fd_close(int fd)
{
    if (fd >= 0) {
        int saved = errno;
        (void)close(fd);
        errno = saved;
    }
    return -EBADF;
}

void fd_cleanup(int *fd)
{
    *fd = fd_close(*fd);
}

int fd_fill_std(void)
{
    for (;;) {
        int fd = open("/dev/null", O_RDWR);
        if (fd < 0)
            return -errno;
        if (fd > STDERR_FILENO) {
            fd_close(fd);
            return 0;
        }
    }
}

void fd_close_from(int first)
{
    closefrom(first);
}

static int compare_ints(const void *a, const void *b)
{
    const int *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

void fd_close_except(int *keep, size_t n)
{
    qsort(keep, n, sizeof *keep, compare_ints);
    unsigned from = STDERR_FILENO + 1;
    for (size_t i = 0; i < n; i++) {
        if (keep[i] < 0 || (unsigned)keep[i] < from)
            continue;
        if ((unsigned)keep[i] > from)
            (void)close_range(from, (unsigned)keep[i] - 1, 0);
        from = (unsigned)keep[i] + 1;
    }
    (void)close_range(from, ~0U, 0);
}
