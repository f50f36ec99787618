/* The tun device: the gateway network, slirp4netns and pasta all need it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/base/fd.h"
#include "rootless-setup/check/explain.h"
#include "rootless-setup/check/network.h"
#include "rootless-setup/check/probe.h"

void probe_tun(const struct check_context *context, struct check_result *result)
{
    if (network_enter(context, result) < 0)
        return;
    cleanup_close int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        int code = errno;
        check_say_errno(result, CHECK_FAILED, code, "opening /dev/net/tun");
        explain_tun(TUN_OPEN, code, &context->facts, result);
        return;
    }
    struct ifreq request = {.ifr_name = "tun0", .ifr_flags = IFF_TUN | IFF_NO_PI};
    if (ioctl(fd, TUNSETIFF, &request) < 0) {
        int code = errno;
        check_say_errno(result, CHECK_FAILED, code,
                        "making tun0 in a network namespace (TUNSETIFF)");
        explain_tun(TUN_CREATE, code, &context->facts, result);
        return;
    }
    check_say(result, CHECK_OK, "opened /dev/net/tun and made tun0 in a network namespace");
}
