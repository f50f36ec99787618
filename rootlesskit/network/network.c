#include "rootlesskit/network/network.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "lib/base/fd.h"
#include "lib/base/proc.h"

int network_start(struct network *network, const struct rk_config *config, pid_t child,
                  struct err *err)
{
    switch (config->net_kind) {
    case NET_HOST:
    case NET_GATEWAY:
        return 0;
    case NET_NONE:
        return network_loopback_up(child, err);
    case NET_SLIRP4NETNS:
        return network_slirp4netns(network, config, child, err);
    }
    return -EINVAL;
}

void network_stop(struct network *network)
{
    network->helper_exit_fd = fd_close(network->helper_exit_fd);
    network->helper_pidfd = fd_close(network->helper_pidfd);
    if (network->helper > 0) {
        (void)kill(network->helper, SIGKILL);
        (void)proc_wait(network->helper);
    }
    network->helper = 0;
}
