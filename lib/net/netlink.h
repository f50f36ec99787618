/*
 * rtnetlink(7) requests, one call each, in the network namespace in which
 * the socket was opened. Nothing of ip(8) is run.
 */
#pragma once

#include <netinet/in.h>
#include <stdint.h>

struct err;
struct mnl_socket;

struct netlink {
    struct mnl_socket *sock;
};

int netlink_open(struct netlink *netlink, struct err *err);
void netlink_close(struct netlink *netlink);
/** A veth pair: @p name here, @p peer_name in the namespace @p peer_netns_fd (< 0: here), both with
 *  @p mtu bytes. */
int netlink_add_veth(struct netlink *netlink, const char *name, const char *peer_name,
                     int peer_netns_fd, uint32_t mtu, struct err *err);
/** An interface of a kind that needs no more than a name: "bridge", "dummy". */
int netlink_add_link(struct netlink *netlink, const char *name, const char *kind, struct err *err);
/** An end of a VXLAN that is told of the others, as flannel makes them.
 *  @param port  UDP's, host byte order */
int netlink_add_vxlan(struct netlink *netlink, const char *name, uint32_t vni, uint16_t port,
                      struct err *err);
/** Makes an interface a port of the bridge @p master. */
int netlink_set_master(struct netlink *netlink, unsigned index, unsigned master, struct err *err);
/** Removes an interface; of a pair both ends, at once. */
int netlink_del_link(struct netlink *netlink, unsigned index, struct err *err);
int netlink_link_up(struct netlink *netlink, unsigned index, struct err *err);
int netlink_set_mtu(struct netlink *netlink, unsigned index, uint32_t mtu, struct err *err);
/* Of both families: an IPv4 address is mapped (address.h), and a prefix counts bits of 128. */
/** An address that is used at once: IPv6's is not looked for elsewhere before (RFC 4862, 5.4). */
int netlink_add_address(struct netlink *netlink, unsigned index, const struct in6_addr *ip,
                        uint8_t prefix, struct err *err);
/** A route to @p to / @p prefix: out of @p index, via @p via when it is not NULL. */
int netlink_add_route(struct netlink *netlink, unsigned index, const struct in6_addr *to,
                      uint8_t prefix, const struct in6_addr *via, struct err *err);
/** Packets of @p family (AF_INET, AF_INET6) with @p mark are for this host whatever their address:
 * a local route in a table of its own, and the rule that leads there. */
int netlink_mark_is_local(struct netlink *netlink, uint8_t family, uint32_t mark, uint32_t table,
                          struct err *err);
/**
 * What 127.0.0.0/8 sends to an address that only the default route leads to is for this host, too:
 * the kernel would refuse it (EINVAL). IPv6 has no such rule.
 * @param table  that of netlink_mark_is_local()
 */
int netlink_loopback_is_answered(struct netlink *netlink, uint32_t table, struct err *err);
/** A neighbour that needs no ARP or neighbour discovery. */
int netlink_add_neighbour(struct netlink *netlink, unsigned index, const struct in6_addr *ip,
                          const unsigned char mac[6], struct err *err);
/** Has the interface answer for @p ip, which is IPv6, as if it were its own (ARP has a sysctl). */
int netlink_add_proxy(struct netlink *netlink, unsigned index, const struct in6_addr *ip,
                      struct err *err);
