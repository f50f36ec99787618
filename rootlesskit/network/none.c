/* --net=none: a network namespace with nothing but its loopback. */
#include "rootlesskit/network/network.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/proc.h"
#include "rootlesskit/child.h"

static int loopback_up(void)
{
    cleanup_close int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    return sock < 0 || ioctl(sock, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

/* In a process of its own, because entering a user namespace cannot be undone. Bringing lo up gives
 * it 127.0.0.1 and ::1. */
int network_loopback_up(const struct child *child, struct err *err)
{
    pid_t pid = fork();
    if (pid < 0)
        return err_sys(err, errno, "cannot start a process");
    if (pid == 0) {
        int r =
            setns(child->userns_fd, CLONE_NEWUSER) < 0 || setns(child->netns_fd, CLONE_NEWNET) < 0
                ? -errno
                : loopback_up();
        _exit(r < 0 ? -r : 0);
    }
    int status = proc_wait(pid);
    return status == 0
               ? 0
               : err_sys(err, (status >> 8) & 0xff, "cannot bring up the loopback interface");
}
