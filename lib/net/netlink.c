#include "lib/net/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdbool.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/net/address.h"

#define REQUEST_MAX 1024

struct request {
    union {
        struct nlmsghdr align;
        char space[REQUEST_MAX];
    } buf;
    struct nlmsghdr *header;
};

int netlink_open(struct netlink *netlink, struct err *err)
{
    netlink->sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (!netlink->sock || mnl_socket_bind(netlink->sock, 0, MNL_SOCKET_AUTOPID) < 0)
        return err_sys(err, errno, "cannot open a routing socket");
    return 0;
}

void netlink_close(struct netlink *netlink)
{
    if (netlink->sock)
        (void)mnl_socket_close(netlink->sock);
    netlink->sock = NULL;
}

/* Starts a request of @p type with a zeroed family header of @p size bytes. @return that header */
static void *start(struct request *request, uint16_t type, uint16_t flags, size_t size)
{
    memset(&request->buf, 0, sizeof request->buf);
    request->header = mnl_nlmsg_put_header(&request->buf);
    request->header->nlmsg_type = type;
    request->header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    return mnl_nlmsg_put_extra_header(request->header, size);
}

/* Sends and waits for the kernel's acknowledgement. @return 0 or its -errno */
static int finish(struct netlink *netlink, const struct request *request)
{
    union {
        struct nlmsghdr align;
        char space[4096];
    } answer;
    if (mnl_socket_sendto(netlink->sock, request->header, request->header->nlmsg_len) < 0)
        return -errno;
    ssize_t n = mnl_socket_recvfrom(netlink->sock, &answer, sizeof answer);
    if (n < 0)
        return -errno;
    if (mnl_cb_run(&answer, (size_t)n, 0, mnl_socket_get_portid(netlink->sock), NULL, NULL) < 0)
        return -errno;
    return 0;
}

#define CREATE (NLM_F_CREATE | NLM_F_EXCL)

int netlink_add_veth(struct netlink *netlink, const char *name, const char *peer_name,
                     int peer_netns_fd, uint32_t mtu, struct err *err)
{
    struct request request;
    (void)start(&request, RTM_NEWLINK, CREATE, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(request.header, IFLA_IFNAME, name);
    mnl_attr_put_u32(request.header, IFLA_MTU, mtu);
    struct nlattr *info = mnl_attr_nest_start(request.header, IFLA_LINKINFO);
    mnl_attr_put_strz(request.header, IFLA_INFO_KIND, "veth");
    struct nlattr *data = mnl_attr_nest_start(request.header, IFLA_INFO_DATA);
    struct nlattr *peer = mnl_attr_nest_start(request.header, VETH_INFO_PEER);
    (void)mnl_nlmsg_put_extra_header(request.header, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(request.header, IFLA_IFNAME, peer_name);
    mnl_attr_put_u32(request.header, IFLA_MTU, mtu);
    if (peer_netns_fd >= 0)
        mnl_attr_put_u32(request.header, IFLA_NET_NS_FD, (uint32_t)peer_netns_fd);
    mnl_attr_nest_end(request.header, peer);
    mnl_attr_nest_end(request.header, data);
    mnl_attr_nest_end(request.header, info);
    int r = finish(netlink, &request);
    if (r == -EOPNOTSUPP)
        return err_set(
            err, EOPNOTSUPP,
            "this kernel has no veth interfaces: load the module with: sudo modprobe veth");
    return r < 0 ? err_sys(err, -r, "cannot create the interface pair %s - %s", name, peer_name)
                 : 0;
}

int netlink_add_link(struct netlink *netlink, const char *name, const char *kind, struct err *err)
{
    struct request request;
    (void)start(&request, RTM_NEWLINK, CREATE, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(request.header, IFLA_IFNAME, name);
    struct nlattr *info = mnl_attr_nest_start(request.header, IFLA_LINKINFO);
    mnl_attr_put_strz(request.header, IFLA_INFO_KIND, kind);
    mnl_attr_nest_end(request.header, info);
    int r = finish(netlink, &request);
    return r < 0 ? err_sys(err, -r, "cannot create the %s interface %s", kind, name) : 0;
}

int netlink_add_vxlan(struct netlink *netlink, const char *name, uint32_t vni, uint16_t port,
                      struct err *err)
{
    struct request request;
    (void)start(&request, RTM_NEWLINK, CREATE, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(request.header, IFLA_IFNAME, name);
    struct nlattr *info = mnl_attr_nest_start(request.header, IFLA_LINKINFO);
    mnl_attr_put_strz(request.header, IFLA_INFO_KIND, "vxlan");
    struct nlattr *data = mnl_attr_nest_start(request.header, IFLA_INFO_DATA);
    mnl_attr_put_u32(request.header, IFLA_VXLAN_ID, vni);
    mnl_attr_put_u16(request.header, IFLA_VXLAN_PORT, htons(port));
    mnl_attr_put_u8(request.header, IFLA_VXLAN_LEARNING, 0);
    mnl_attr_nest_end(request.header, data);
    mnl_attr_nest_end(request.header, info);
    int r = finish(netlink, &request);
    return r < 0 ? err_sys(err, -r, "cannot create the VXLAN interface %s", name) : 0;
}

int netlink_set_master(struct netlink *netlink, unsigned index, unsigned master, struct err *err)
{
    struct request request;
    struct ifinfomsg *link = start(&request, RTM_NEWLINK, 0, sizeof *link);
    link->ifi_index = (int)index;
    mnl_attr_put_u32(request.header, IFLA_MASTER, master);
    int r = finish(netlink, &request);
    return r < 0 ? err_sys(err, -r, "cannot make interface %u a port of %u", index, master) : 0;
}

int netlink_del_link(struct netlink *netlink, unsigned index, struct err *err)
{
    struct request request;
    struct ifinfomsg *link = start(&request, RTM_DELLINK, 0, sizeof *link);
    link->ifi_index = (int)index;
    int r = finish(netlink, &request);
    return r < 0 ? err_sys(err, -r, "cannot remove interface %u", index) : 0;
}

int netlink_link_up(struct netlink *netlink, unsigned index, struct err *err)
{
    struct request request;
    struct ifinfomsg *link = start(&request, RTM_NEWLINK, 0, sizeof *link);
    link->ifi_index = (int)index;
    link->ifi_flags = link->ifi_change = IFF_UP;
    int r = finish(netlink, &request);
    return r < 0 ? err_sys(err, -r, "cannot bring up interface %u", index) : 0;
}

int netlink_set_mtu(struct netlink *netlink, unsigned index, uint32_t mtu, struct err *err)
{
    struct request request;
    struct ifinfomsg *link = start(&request, RTM_NEWLINK, 0, sizeof *link);
    link->ifi_index = (int)index;
    mnl_attr_put_u32(request.header, IFLA_MTU, mtu);
    int r = finish(netlink, &request);
    return r < 0 ? err_sys(err, -r, "cannot set the MTU of interface %u to %u", index, mtu) : 0;
}

/* In the form that its family's messages have. */
static void put_address(struct request *request, uint16_t type, const struct in6_addr *ip)
{
    struct in_addr v4 = address_v4(ip);
    if (address_is_v4(ip))
        mnl_attr_put(request->header, type, sizeof v4, &v4);
    else
        mnl_attr_put(request->header, type, sizeof *ip, ip);
}

/* Of the family's own address. */
static uint8_t own_prefix(const struct in6_addr *ip, uint8_t prefix)
{
    return address_is_v4(ip) ? (uint8_t)(prefix - ADDRESS_V4_BITS) : prefix;
}

int netlink_add_address(struct netlink *netlink, unsigned index, const struct in6_addr *ip,
                        uint8_t prefix, struct err *err)
{
    struct request request;
    struct ifaddrmsg *address = start(&request, RTM_NEWADDR, CREATE, sizeof *address);
    address->ifa_family = (uint8_t)address_family(ip);
    address->ifa_prefixlen = own_prefix(ip, prefix);
    address->ifa_index = index;
    put_address(&request, IFA_LOCAL, ip);
    put_address(&request, IFA_ADDRESS, ip);
    if (!address_is_v4(ip))
        mnl_attr_put_u32(request.header, IFA_FLAGS, IFA_F_NODAD);
    else if (address->ifa_prefixlen < 31)
        mnl_attr_put_u32(request.header, IFA_BROADCAST,
                         address_v4(ip).s_addr | htonl(UINT32_MAX >> address->ifa_prefixlen));
    int r = finish(netlink, &request);
    return r < 0 ? err_sys(err, -r, "cannot give interface %u its address", index) : 0;
}

static struct rtmsg *start_route(struct request *request, uint8_t family, uint8_t table,
                                 uint8_t type, uint8_t scope)
{
    struct rtmsg *route = start(request, RTM_NEWROUTE, CREATE, sizeof *route);
    route->rtm_family = family;
    route->rtm_table = table;
    route->rtm_protocol = RTPROT_STATIC;
    route->rtm_type = type;
    route->rtm_scope = scope;
    return route;
}

int netlink_add_route(struct netlink *netlink, unsigned index, const struct in6_addr *to,
                      uint8_t prefix, const struct in6_addr *via, struct err *err)
{
    struct request request;
    struct rtmsg *route = start_route(&request, (uint8_t)address_family(to), RT_TABLE_MAIN,
                                      RTN_UNICAST, via ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK);
    route->rtm_dst_len = own_prefix(to, prefix);
    if (route->rtm_dst_len > 0)
        put_address(&request, RTA_DST, to);
    if (via)
        put_address(&request, RTA_GATEWAY, via);
    mnl_attr_put_u32(request.header, RTA_OIF, index);
    int r = finish(netlink, &request);
    return r < 0 ? err_sys(err, -r, "cannot add a route to interface %u", index) : 0;
}

/* Before the rules that other software in the namespace may add. */
#define RULE_PRIORITY 100
#define LOOPBACK_PREFIX 8 /* 127.0.0.0/8 */

static struct fib_rule_hdr *start_rule(struct request *request, uint8_t family, uint32_t table,
                                       uint32_t priority)
{
    struct fib_rule_hdr *rule = start(request, RTM_NEWRULE, CREATE, sizeof *rule);
    rule->family = family;
    rule->table = (uint8_t)table;
    rule->action = FR_ACT_TO_TBL;
    mnl_attr_put_u32(request->header, FRA_PRIORITY, priority);
    return rule;
}

static int finish_rule(struct netlink *netlink, const struct request *request, struct err *err)
{
    int r = finish(netlink, request);
    return r < 0
               ? err_sys(
                     err, -r,
                     "cannot add a routing rule (does this kernel have CONFIG_IP_MULTIPLE_TABLES?)")
               : 0;
}

int netlink_mark_is_local(struct netlink *netlink, uint8_t family, uint32_t mark, uint32_t table,
                          struct err *err)
{
    struct request request;
    struct rtmsg *route = start_route(&request, family, (uint8_t)table, RTN_LOCAL, RT_SCOPE_HOST);
    route->rtm_dst_len = 0;
    mnl_attr_put_u32(request.header, RTA_OIF, if_nametoindex("lo"));
    int r = finish(netlink, &request);
    if (r < 0)
        return err_sys(err, -r, "cannot add the local route of table %u", table);

    (void)start_rule(&request, family, table, RULE_PRIORITY);
    mnl_attr_put_u32(request.header, FRA_FWMARK, mark);
    return finish_rule(netlink, &request, err);
}

int netlink_loopback_is_answered(struct netlink *netlink, uint32_t table, struct err *err)
{
    const struct in6_addr loopback =
        address_map((struct in_addr){.s_addr = htonl((uint32_t)IN_LOOPBACKNET << 24)});
    const uint32_t tables[] = {RT_TABLE_MAIN, table};
    int r = 0;
    for (uint32_t i = 0; i < 2 && r >= 0; i++) {
        struct request request;
        struct fib_rule_hdr *rule = start_rule(&request, AF_INET, tables[i], RULE_PRIORITY + 1 + i);
        rule->src_len = LOOPBACK_PREFIX;
        put_address(&request, FRA_SRC, &loopback);
        if (tables[i] == RT_TABLE_MAIN) /* but for its default route */
            mnl_attr_put_u32(request.header, FRA_SUPPRESS_PREFIXLEN, 0);
        r = finish_rule(netlink, &request, err);
    }
    return r;
}

static int add_neighbour(struct netlink *netlink, unsigned index, const struct in6_addr *ip,
                         const unsigned char *mac, struct err *err)
{
    struct request request;
    struct ndmsg *neighbour =
        start(&request, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sizeof *neighbour);
    neighbour->ndm_family = (uint8_t)address_family(ip);
    neighbour->ndm_ifindex = (int)index;
    neighbour->ndm_state = NUD_PERMANENT;
    neighbour->ndm_flags = mac ? 0 : NTF_PROXY;
    put_address(&request, NDA_DST, ip);
    if (mac)
        mnl_attr_put(request.header, NDA_LLADDR, 6, mac);
    int r = finish(netlink, &request);
    return r < 0 ? err_sys(err, -r, "cannot add a neighbour to interface %u", index) : 0;
}

int netlink_add_neighbour(struct netlink *netlink, unsigned index, const struct in6_addr *ip,
                          const unsigned char mac[6], struct err *err)
{
    return add_neighbour(netlink, index, ip, mac, err);
}

int netlink_add_proxy(struct netlink *netlink, unsigned index, const struct in6_addr *ip,
                      struct err *err)
{
    return add_neighbour(netlink, index, ip, NULL, err);
}
