/*
 * --net=lxc-user-nic: LXC's setuid program puts one end of a veth pair on a bridge of the host's
 * and the other into C (lxc-user-nic(1)); address, router and name servers come from the bridge's
 * DHCP server.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/net/address.h"
#include "lib/net/netlink.h"
#include "rootlesskit/child.h"
#include "rootlesskit/network/dhcp_client.h"
#include "rootlesskit/network/enter.h"
#include "rootlesskit/network/helper.h"
#include "rootlesskit/network/network.h"

#define NAME "lxc-user-nic"
#define PERMISSIONS "/etc/lxc/lxc-usernet"

/* It is in no $PATH. */
static int find_binary(const struct rk_config *config, char *ret, size_t size, struct err *err)
{
    struct utsname machine;
    const char *given = config->lxc_user_nic_binary;
    if (given && proc_find(given, ret, size) == 0)
        return 0;
    if (given)
        return err_set(err, ENOENT, "%s: not found or not executable", given);
    (void)uname(&machine);
    for (int i = 0; i < 3; i++) {
        if (i == 0)
            (void)str_copy(ret, size, "/usr/libexec/lxc/" NAME);
        else if (i == 1)
            (void)str_format(ret, size, "/usr/lib/%s-linux-gnu/lxc/" NAME, machine.machine);
        else
            (void)str_copy(ret, size, "/usr/lib/lxc/" NAME);
        if (access(ret, X_OK) == 0)
            return 0;
    }
    return err_set(err, ENOENT,
                   NAME
                   " is not installed: install LXC (on Debian and Ubuntu: sudo apt-get install "
                   "lxc), or choose another network driver");
}

static int explain(const char *bridge, const char *said, struct err *err)
{
    if (access(PERMISSIONS, F_OK) < 0)
        return err_set(err, EPERM,
                       NAME " lets nobody use bridge %s: " PERMISSIONS
                            " is missing; as root write a line into it: USER veth %s 10",
                       bridge, bridge);
    return err_set(err, EPERM,
                   NAME " failed: %s; it needs to be setuid root, the bridge %s to exist, and "
                        "a line in " PERMISSIONS ": USER veth %s 10",
                   said[0] ? said : "no message", bridge, bridge);
}

static int create_interface(const struct rk_config *config, const struct child *child,
                            struct err *err)
{
    char binary[PATH_MAX], pid[16], said[1024];
    int r = find_binary(config, binary, sizeof binary, err);
    struct helper_holder holder;
    if (r >= 0)
        r = helper_hold(&holder, child, config->detach_netns, err);
    if (r < 0)
        return r;
    (void)str_format(pid, sizeof pid, "%d", holder.pid);
    /* The path and name of a container, of which there is none. */
    const char *const argv[] = {
        binary,         "create", "/dev/null", "dummy", pid, "veth", config->lxc_user_nic_bridge,
        config->ifname, NULL};
    int status = proc_run(argv, said, sizeof said, err);
    helper_release(&holder);
    if (status <= 0)
        return status;
    said[strcspn(said, "\n")] = '\0';
    return explain(config->lxc_user_nic_bridge, said, err);
}

struct setting {
    const char *ifname;
    struct dhcp_lease lease;
};

static int configure(const void *arg)
{
    const struct setting *setting = arg;
    const struct dhcp_lease *lease = &setting->lease;
    const struct in_addr zero = {0};
    const struct in6_addr ip = address_map(lease->ip), anywhere = address_map(zero),
                          router = address_map(lease->router);
    struct netlink netlink = {0};
    unsigned index = if_nametoindex(setting->ifname);
    int r = netlink_open(&netlink, NULL);
    if (r >= 0)
        r = netlink_add_address(&netlink, index, &ip, (uint8_t)(ADDRESS_V4_BITS + lease->prefix),
                                NULL);
    if (r >= 0 && lease->router.s_addr)
        r = netlink_add_route(&netlink, index, &anywhere, ADDRESS_V4_BITS, &router, NULL);
    netlink_close(&netlink);
    return r;
}

static void fill_info(struct network_info *info, const struct dhcp_lease *lease)
{
    _Static_assert(NETWORK_DNS_MAX == DHCP_DNS_MAX, "all name servers are kept");
    info->child_ip = lease->ip;
    info->dynamic_child_ip = true;
    info->n_dns = lease->n_dns;
    for (size_t i = 0; i < info->n_dns; i++)
        (void)inet_ntop(AF_INET, &lease->dns[i], info->dns[i], sizeof info->dns[i]);
}

int network_lxc_user_nic(struct network *network, const struct rk_config *config,
                         const struct child *child, struct err *err)
{
    struct setting setting = {.ifname = config->ifname};
    int r = create_interface(config, child, err);
    if (r >= 0)
        r = dhcp_client_start(network, child, config->ifname, config->mtu, &setting.lease, err);
    if (r >= 0)
        r = enter_and_do(child, configure, &setting, "cannot use the address that came by DHCP",
                         err);
    if (r >= 0)
        fill_info(&network->info, &setting.lease);
    return r;
}
