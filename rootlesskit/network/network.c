#include "rootlesskit/network/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/proc.h"

/* The drivers that take --cidr all use the same three addresses of it. */
static void fill_info(struct network_info *info, const struct rk_config *config)
{
    info->child_ip = config->child_ip;
    (void)inet_ntop(AF_INET, &config->dns_ip, info->dns[0], sizeof info->dns[0]);
    info->n_dns = 1;
    info->ipv6 = config->ipv6;
}

int network_start(struct network *network, const struct rk_config *config,
                  const struct child *child, const struct statedir *state, struct err *err)
{
    if (options_has_names(config))
        fill_info(&network->info, config);
    switch (config->net_kind) {
    case NET_HOST:
    case NET_GATEWAY:
        return 0;
    case NET_NONE:
        return network_loopback_up(child, err);
    case NET_SLIRP4NETNS:
        return network_slirp4netns(network, config, child, state, err);
    case NET_PASTA:
        return network_pasta(network, config, child, state, err);
    case NET_LXC_USER_NIC:
        return network_lxc_user_nic(network, config, child, err);
    case NET_AUTO:
        break;
    }
    return err_set(err, EOPNOTSUPP, "no such driver");
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
    network->said_fd = fd_close(network->said_fd);
}
