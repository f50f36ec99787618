#include "rootlesskit/gateway/gate.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>

static int share(int fd, int on)
{
    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ? -errno : 0;
}

/* The port's connections, which inherit the option, must not be in the way of the next listen(2).
 */
int gate_open(int fd)
{
    int r = share(fd, true);
    if (r >= 0 && listen(fd, SOMAXCONN) < 0) {
        r = -errno;
        (void)share(fd, false);
    }
    return r;
}

int gate_shut(int fd)
{
    if (shutdown(fd, SHUT_RD) < 0 && errno != ENOTCONN)
        return -errno;
    return share(fd, false);
}
