#include "rootlesskit/gateway/place.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/tcp.h>
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
#include "rootlesskit/gateway/gateway.h"
#include "rootlesskit/gateway/netlink.h"
#include "rootlesskit/gateway/nft.h"

#define VETH_NAME "gw0"
#define TUN_NAME "tun0"
#define LOCAL_MARK 1
#define LOCAL_TABLE 100
#define DNS_PORT 53
/* Early demultiplexing would tie a SYN to the TIME_WAIT socket of its addresses' last use, and
 * ip_forward() drops a packet that has a socket: reusing addresses would fail for a minute.
 * Forwarding from tun0 shows source addresses that no route leads back to: no reverse-path filter.
 * Of /proc/sys/net the calling thread sees the files of its own network namespace. */
#define IPV4 "/proc/sys/net/ipv4/"

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

static int bind_to(int type, struct in_addr ip, uint16_t port, bool transparent, struct err *err)
{
    cleanup_close int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = ip, .sin_port = htons(port)};
    int on = 1;
    if (fd < 0)
        return err_sys(err, errno, "cannot make a socket in the gateway namespace");
    if (transparent && setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof on) < 0)
        return err_sys(err, errno, "cannot make a transparent socket");
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0)
        return err_sys(err, errno, "cannot bind port %u in the gateway namespace", port);
    if (type == SOCK_DGRAM)
        return take_fd(&fd);
    /* Accepted sockets inherit all three; one that began with a pacing congestion control would
     * keep pacing. Their peer is the child, across a veth. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
    if (listen(fd, SOMAXCONN) < 0)
        return err_sys(err, errno, "cannot listen on port %u in the gateway namespace", port);
    return take_fd(&fd);
}

/* Bound to 127.0.0.1, not to any address: a wildcard would match every new connection to its port,
 * and no packet of the child's may have a loopback address. */
static int open_sockets(const struct gateway_config *config, struct place_gateway *ret,
                        uint16_t *ret_port, struct err *err)
{
    struct in_addr loopback = {.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in bound;
    socklen_t len = sizeof bound;
    ret->listen_fd = bind_to(SOCK_STREAM, loopback, 0, true, err);
    if (ret->listen_fd < 0)
        return ret->listen_fd;
    if (getsockname(ret->listen_fd, (struct sockaddr *)&bound, &len) < 0)
        return err_sys(err, errno, "cannot read a socket's address");
    *ret_port = ntohs(bound.sin_port);
    ret->dns_udp_fd = bind_to(SOCK_DGRAM, config->dns_ip, DNS_PORT, false, err);
    if (ret->dns_udp_fd < 0)
        return ret->dns_udp_fd;
    ret->dns_tcp_fd = bind_to(SOCK_STREAM, config->dns_ip, DNS_PORT, false, err);
    return ret->dns_tcp_fd < 0 ? ret->dns_tcp_fd : 0;
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
    unsigned lo = if_nametoindex("lo"), gw = if_nametoindex(VETH_NAME),
             tun = if_nametoindex(TUN_NAME);
    r = netlink_set_mtu(netlink, tun, config->mtu, err);
    const unsigned up[] = {lo, gw, tun};
    for (size_t i = 0; i < 3 && r >= 0; i++)
        r = netlink_link_up(netlink, up[i], err);
    return r < 0 ? r : hardware_address(VETH_NAME, ret->mac, err);
}

/* gateway_ip is not an address of G: connections to it must reach tun0 like any other, to be
 * dialled on the host's loopback. Whoever asks for its hardware address in C gets gw0's
 * (proxy_arp). */
static int set_up_routes(const struct gateway_config *config, struct netlink *netlink,
                         struct err *err)
{
    static const char *const settings[][2] = {
        {IPV4 "conf/" VETH_NAME "/proxy_arp", "1"},
        {IPV4 "neigh/" VETH_NAME "/proxy_delay", "0"},
        {NULL, NULL},
    };
    unsigned lo = if_nametoindex("lo"), gw = if_nametoindex(VETH_NAME),
             tun = if_nametoindex(TUN_NAME);
    struct in_addr none = {0};
    struct in_addr network = {.s_addr = config->child_ip.s_addr &
                                        htonl(UINT32_MAX << (32 - config->prefix))};
    int r = poke_all(settings, err);
    if (r >= 0)
        r = netlink_add_address(netlink, lo, config->dns_ip, 32, err);
    if (r >= 0)
        r = netlink_add_route(netlink, gw, network, config->prefix, none, err);
    if (r >= 0)
        r = netlink_add_route(netlink, tun, config->gateway_ip, 32, none, err);
    if (r >= 0)
        r = netlink_add_route(netlink, tun, none, 0, none, err);
    if (r >= 0)
        r = netlink_mark_is_local(netlink, AF_INET, LOCAL_MARK, LOCAL_TABLE, err);
    return r;
}

/* --net=auto tries another driver then, which needs the interface's name in C. Left to the end of
 * G, it would be free only some time after. */
static void remove_pair(struct netlink *netlink, const char *name)
{
    unsigned index = netlink->sock ? if_nametoindex(name) : 0;
    if (index > 0)
        (void)netlink_del_link(netlink, index, NULL);
}

static int set_up_gateway(const struct gateway_config *config, struct place_gateway *ret,
                          struct err *err)
{
    static const char *const settings[][2] = {
        {IPV4 "conf/all/rp_filter", "0"},
        {IPV4 "conf/default/rp_filter", "0"},
        {IPV4 "ip_forward", "1"},
        {IPV4 "tcp_early_demux", "0"},
        {NULL, NULL},
    };
    struct netlink netlink = {0};
    uint16_t port = 0;
    int r = poke_all(settings, err);
    if (r >= 0)
        r = netlink_open(&netlink, err);
    if (r >= 0)
        r = set_up_links(config, &netlink, ret, err);
    if (r >= 0)
        r = set_up_routes(config, &netlink, err);
    if (r >= 0)
        r = open_sockets(config, ret, &port, err);
    if (r >= 0)
        r = nft_install(if_nametoindex(VETH_NAME), if_nametoindex(TUN_NAME), port, LOCAL_MARK, err);
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

int place_set_up_child(const struct gateway_config *config, const unsigned char gateway_mac[6],
                       struct err *err)
{
    /* All TCP of the child ends in G, across the veth: nothing to probe for, and a pacing default
     * of the host's would only slow it. */
    static const char *const settings[][2] = {{IPV4 "tcp_congestion_control", "reno"},
                                              {NULL, NULL}};
    struct netlink netlink = {0};
    struct in_addr none = {0};
    int r = netlink_open(&netlink, err);
    if (r >= 0)
        r = netlink_link_up(&netlink, if_nametoindex("lo"), err);
    if (r >= 0 && config->network) {
        unsigned tap = if_nametoindex(config->ifname);
        r = poke_all(settings, err);
        if (r >= 0)
            r = netlink_add_address(&netlink, tap, config->child_ip, config->prefix, err);
        if (r >= 0)
            r = netlink_link_up(&netlink, tap, err);
        if (r >= 0)
            r = netlink_add_neighbour(&netlink, tap, config->gateway_ip, gateway_mac, err);
        if (r >= 0)
            r = netlink_add_route(&netlink, tap, none, 0, config->gateway_ip, err);
        if (r < 0)
            remove_pair(&netlink, config->ifname);
    }
    netlink_close(&netlink);
    return r;
}
