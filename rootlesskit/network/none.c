/* --net=none: a network namespace with nothing but its loopback. */
#include <errno.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "lib/base/fd.h"
#include "rootlesskit/network/enter.h"
#include "rootlesskit/network/network.h"

/* Bringing lo up gives it 127.0.0.1 and ::1. */
static int loopback_up(const void *arg)
{
    (void)arg;
    cleanup_close int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    return sock < 0 || ioctl(sock, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

int network_loopback_up(const struct child *child, struct err *err)
{
    return enter_and_do(child, loopback_up, NULL, "cannot bring up the loopback interface", err);
}
