#include "rootlesskit/gateway/place.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "lib/net/address.h"
#include "lib/net/netlink.h"
#include "rootlesskit/gateway/gateway.h"
#include "rootlesskit/gateway/rules.h"

#define VETH_NAME "gw0"
#define TUN_NAME "tun0"
#define LOCAL_MARK 1
#define LOCAL_TABLE 100
/* Early demultiplexing would tie a SYN to the TIME_WAIT socket of its addresses' last use, and
 * ip_forward() drops a packet that has a socket: reusing addresses would fail for a minute. So it
 * would be with the datagrams that pass through tun0.
 * Forwarding from tun0 shows source addresses that no route leads back to: no reverse-path filter.
 * Echo requests are answered by whom they are for, not by G.
 * Of /proc/sys/net the calling thread sees the files of its own network namespace. */
#define IPV4 "/proc/sys/net/ipv4/"
/* Of the veth's two ends, whose round trip is some microseconds: 2 MiB are many of them, and
 * what waits in more has left the CPU's caches when it is read (docs/performance.md). */
#define TCP_RMEM "4096 131072 2097152"
#define TCP_WMEM "4096 16384 2097152"
#define IPV6 "/proc/sys/net/ipv6/"

static int poke_all(const char *const (*settings)[2], struct err *err)
{
    for (size_t i = 0; settings[i][0]; i++) {
        int r = file_poke(AT_FDCWD, settings[i][0], settings[i][1], err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int open_tun(struct err *err)
{
    cleanup_close int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && (errno == EACCES || errno == EPERM))
        return err_sys(
            err, errno,
            "cannot open /dev/net/tun; make it open to users with: sudo chmod 0666 /dev/net/tun");
    if (fd < 0)
        return err_sys(err, errno,
                       "cannot open /dev/net/tun; load the module with: sudo modprobe tun");
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    (void)str_copy(request.ifr_name, sizeof request.ifr_name, TUN_NAME);
    if (ioctl(fd, TUNSETIFF, &request) < 0)
        return err_sys(err, errno, "cannot create " TUN_NAME);
    /* It ends with its namespace, which the kernel takes down in the background: without this, with
     * the last fd, and our exit would wait 20 to 40 ms for that. */
    (void)ioctl(fd, TUNSETPERSIST, 1);
    return take_fd(&fd);
}

static int hardware_address(const char *name, unsigned char ret[6], struct err *err)
{
    cleanup_close int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {0};
    (void)str_copy(request.ifr_name, sizeof request.ifr_name, name);
    if (sock < 0 || ioctl(sock, SIOCGIFHWADDR, &request) < 0)
        return err_sys(err, errno, "cannot read the hardware address of %s", name);
    memcpy(ret, request.ifr_hwaddr.sa_data, 6);
    return 0;
}

/* The indices of G's links. */
struct links {
    unsigned lo, gw, tun;
};

static struct links find_links(void)
{
    return (struct links){
        .lo = if_nametoindex("lo"),
        .gw = if_nametoindex(VETH_NAME),
        .tun = if_nametoindex(TUN_NAME),
    };
}

/* Before a link is up: its own IPv6 address must be usable at once, and tun0 needs none. */
static int prepare_links_v6(struct err *err)
{
    static const char *const settings[][2] = {
        {IPV6 "conf/all/disable_ipv6", "0"},
        {IPV6 "conf/" VETH_NAME "/accept_dad", "0"},
        {IPV6 "conf/" VETH_NAME "/proxy_ndp", "1"},
        {IPV6 "conf/" TUN_NAME "/addr_gen_mode", "1"},
        {IPV6 "conf/all/forwarding", "1"},
        {IPV6 "icmp/echo_ignore_all", "1"},
        {NULL, NULL},
    };
    return poke_all(settings, err);
}

static int set_up_links(const struct gateway_config *config, struct netlink *netlink,
                        struct place_gateway *ret, struct err *err)
{
    ret->tun_fd = open_tun(err);
    if (ret->tun_fd < 0)
        return ret->tun_fd;
    int r =
        netlink_add_veth(netlink, VETH_NAME, config->ifname, config->netns_fd, config->mtu, err);
    if (r < 0)
        return r;
    if (config->policy.ipv6)
        ret->ipv6 = prepare_links_v6(config->ipv6_must ? err : NULL) >= 0;
    if (config->ipv6_must && !ret->ipv6)
        return -EAFNOSUPPORT;
    const struct links links = find_links();
    r = netlink_set_mtu(netlink, links.tun, config->mtu, err);
    const unsigned up[] = {links.lo, links.gw, links.tun};
    for (size_t i = 0; i < 3 && r >= 0; i++)
        r = netlink_link_up(netlink, up[i], err);
    return r < 0 ? r : hardware_address(VETH_NAME, ret->mac, err);
}

/* The gateway address is none of G's: connections to it must reach tun0 like any other, to be
 * dialled on the host's loopback. Whoever asks for its hardware address in C gets gw0's (proxy_arp,
 * and a proxy entry). */
static int set_up_family(struct netlink *netlink, const struct policy_network *net,
                         struct place_sockets *ret, struct err *err)
{
    const struct links links = find_links();
    const struct in_addr zero = {0};
    bool v4 = address_is_v4(&net->dns);
    const struct in6_addr anywhere = v4 ? address_map(zero) : in6addr_any;
    int r = netlink_add_address(netlink, links.lo, &net->dns, ADDRESS_BITS, err);
    if (r >= 0)
        r = netlink_add_route(netlink, links.gw, &net->network, net->prefix, NULL, err);
    if (r >= 0)
        r = netlink_add_route(netlink, links.tun, &net->gateway, ADDRESS_BITS, NULL, err);
    if (r >= 0)
        r = netlink_add_route(netlink, links.tun, &anywhere, v4 ? ADDRESS_V4_BITS : 0, NULL, err);
    if (r >= 0)
        r = netlink_mark_is_local(netlink, v4 ? AF_INET : AF_INET6, LOCAL_MARK, LOCAL_TABLE, err);
    if (r >= 0)
        r = place_open_sockets(ret, &net->dns, err);
    if (r < 0)
        return r;
    const struct rules_gateway rules = {
        .child_index = links.gw,
        .tun_index = links.tun,
        .tcp_port = ret->tcp_port,
        .udp_port = ret->udp_port,
        .dns = net->dns,
        .mark = LOCAL_MARK,
    };
    return rules_install_gateway(&rules, err);
}

static int set_up_v4(const struct gateway_config *config, struct netlink *netlink,
                     struct place_gateway *ret, struct err *err)
{
    static const char *const settings[][2] = {
        {IPV4 "conf/" VETH_NAME "/proxy_arp", "1"},
        {IPV4 "neigh/" VETH_NAME "/proxy_delay", "0"},
        {NULL, NULL},
    };
    int r = poke_all(settings, err);
    if (r >= 0)
        r = set_up_family(netlink, &config->policy.v4, &ret->v4, err);
    return r < 0 ? r : icmp_open(&ret->icmp, AF_INET, err);
}

static int set_up_v6(const struct gateway_config *config, struct netlink *netlink,
                     struct place_gateway *ret, struct err *err)
{
    const struct policy_network *net = &config->policy.v6;
    const unsigned gw = if_nametoindex(VETH_NAME);
    int r = netlink_add_proxy(netlink, gw, &net->gateway, err);
    if (r >= 0)
        r = netlink_add_proxy(netlink, gw, &net->dns, err);
    if (r >= 0)
        r = set_up_family(netlink, net, &ret->v6, err);
    return r < 0 ? r : icmp_open(&ret->icmp, AF_INET6, err);
}

/* --net=auto tries another driver then, which needs the interface's name in C. Left to the end of
 * G, it would be free only some time after. */
static void remove_pair(struct netlink *netlink, const char *name)
{
    unsigned index = netlink->sock ? if_nametoindex(name) : 0;
    if (index > 0)
        (void)netlink_del_link(netlink, index, NULL);
}

static int open_own_netns(struct err *err)
{
    int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? err_sys(err, errno, "cannot open the gateway namespace") : fd;
}

/* IPv6 is there where the kernel has all it takes; only one who insists on it is refused. */
static int set_up_gateway(const struct gateway_config *config, struct place_gateway *ret,
                          struct err *err)
{
    static const char *const settings[][2] = {
        {IPV4 "conf/all/rp_filter", "0"},   {IPV4 "conf/default/rp_filter", "0"},
        {IPV4 "ip_forward", "1"},           {IPV4 "tcp_early_demux", "0"},
        {IPV4 "udp_early_demux", "0"},      {IPV4 "ip_unprivileged_port_start", "0"},
        {IPV4 "icmp_echo_ignore_all", "1"}, {IPV4 "tcp_rmem", TCP_RMEM},
        {IPV4 "tcp_wmem", TCP_WMEM},        {NULL, NULL},
    };
    struct netlink netlink = {0};
    int r = poke_all(settings, err);
    if (r >= 0)
        r = ret->netns_fd = open_own_netns(err);
    if (r >= 0)
        r = netlink_open(&netlink, err);
    if (r >= 0)
        r = set_up_links(config, &netlink, ret, err);
    if (r >= 0)
        r = set_up_v4(config, &netlink, ret, err);
    if (r >= 0 && ret->ipv6) {
        ret->ipv6 = set_up_v6(config, &netlink, ret, config->ipv6_must ? err : NULL) >= 0;
        r = config->ipv6_must && !ret->ipv6 ? -EAFNOSUPPORT : 0;
    }
    if (r < 0)
        remove_pair(&netlink, VETH_NAME);
    netlink_close(&netlink);
    return r;
}

struct job {
    const struct gateway_config *config;
    struct place_gateway *ret;
    struct err *err;
    int result;
};

static void *make_gateway(void *arg)
{
    struct job *job = arg;
    if (unshare(CLONE_NEWNET) < 0)
        job->result = err_sys(job->err, errno, "cannot make the gateway namespace");
    else
        job->result = set_up_gateway(job->config, job->ret, job->err);
    return NULL;
}

int place_make_gateway(const struct gateway_config *config, struct place_gateway *ret,
                       struct err *err)
{
    struct job job = {.config = config, .ret = ret, .err = err};
    pthread_t thread;
    int r = pthread_create(&thread, NULL, make_gateway, &job);
    if (r != 0)
        return err_sys(err, r, "cannot start a thread");
    (void)pthread_join(thread, NULL);
    return job.result;
}

int place_enter_child(const struct gateway_config *config, struct err *err)
{
    if (setns(config->netns_fd, CLONE_NEWNET) < 0)
        return err_sys(err, errno, "cannot enter the child's network namespace");
    return 0;
}

static int set_up_child_family(struct netlink *netlink, unsigned tap, const struct in6_addr *child,
                               const struct policy_network *net, const unsigned char mac[6],
                               struct err *err)
{
    const struct in_addr zero = {0};
    bool v4 = address_is_v4(child);
    const struct in6_addr anywhere = v4 ? address_map(zero) : in6addr_any;
    int r = netlink_add_address(netlink, tap, child, net->prefix, err);
    if (r >= 0)
        r = netlink_add_neighbour(netlink, tap, &net->gateway, mac, err);
    if (r >= 0)
        r = netlink_add_neighbour(netlink, tap, &net->dns, mac, err);
    if (r >= 0)
        r = netlink_add_route(netlink, tap, &anywhere, v4 ? ADDRESS_V4_BITS : 0, &net->gateway,
                              err);
    return r;
}

/* All TCP of the child ends in G, across the veth: nothing to probe for, and a pacing default of
 * the host's would only slow it. */
static int set_up_child_link(const struct gateway_config *config,
                             const struct place_gateway *gateway, struct netlink *netlink,
                             struct err *err)
{
    static const char *const settings[][2] = {
        {IPV4 "tcp_congestion_control", "reno"},
        {IPV4 "tcp_rmem", TCP_RMEM},
        {IPV4 "tcp_wmem", TCP_WMEM},
        {NULL, NULL},
    };
    unsigned tap = if_nametoindex(config->ifname);
    int r = poke_all(settings, err);
    if (r >= 0)
        r = netlink_link_up(netlink, tap, err);
    if (r >= 0)
        r = set_up_child_family(netlink, tap, &config->child_v4, &config->policy.v4, gateway->mac,
                                err);
    if (r >= 0 && gateway->ipv6)
        r = set_up_child_family(netlink, tap, &config->child_v6, &config->policy.v6, gateway->mac,
                                err);
    if (r < 0)
        remove_pair(netlink, config->ifname);
    return r;
}

int place_set_up_child(const struct gateway_config *config, const struct place_gateway *gateway,
                       struct err *err)
{
    struct netlink netlink = {0};
    int r = netlink_open(&netlink, err);
    if (r >= 0)
        r = netlink_link_up(&netlink, if_nametoindex("lo"), err);
    if (r >= 0 && config->network)
        r = set_up_child_link(config, gateway, &netlink, err);
    netlink_close(&netlink);
    return r;
}
