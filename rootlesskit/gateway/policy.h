/*
 * What the child may reach, and as what: decided on the address that is dialled, by whoever dials
 * it, so there is nothing to race.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "rootlesskit/gateway/egress.h"

/** One side of the child's network. */
struct policy_network {
    struct in6_addr network; /**< of the child, IPv4 mapped */
    uint8_t prefix;          /**< bits of 128 */
    struct in6_addr gateway; /**< stands for the host's loopback address */
    struct in6_addr dns;     /**< the relay's */
};

struct policy {
    struct policy_network v4, v6;
    bool ipv6;                   /**< v6 is there */
    bool host_loopback;          /**< the gateway addresses lead to the host's 127.0.0.1 and ::1 */
    const struct egress *egress; /**< NULL: everything may be reached */
};

/**
 * Where traffic to @p dest really goes.
 * @param port  TCP's or UDP's, host byte order; 0 for what has none (ICMP echo)
 * @return 0 and the host's address; -EACCES for one the child may not reach this way (loopback,
 *         multicast, broadcast, an address without meaning on another host, its own network), or
 *         that the rules do not let it reach
 *
 * Rules are judged on the address that is dialled: 10.0.2.2 is 127.0.0.1 for them. An IPv6 address
 * that leads to an IPv4 host or by way of one (64:ff9b::/96 of RFC 6052, 6to4 of RFC 3056, Teredo
 * of RFC 4380) is refused also when a rule denies that one.
 */
int policy_destination(const struct policy *policy, const struct in6_addr *dest, uint16_t port,
                       struct in6_addr *ret);
/** The other way: as what the child sees traffic that came from the host's address @p from.
 *  @return 0; -EACCES for one it must not hear of */
int policy_origin(const struct policy *policy, const struct in6_addr *from, struct in6_addr *ret);
/** The rules let the child reach the host's address @p host. One that it may not reach may not send
 *  to it unasked either; what is asked for anyway, such as an error's sender, needs no leave. */
bool policy_permits(const struct policy *policy, const struct in6_addr *host, uint16_t port);
/**
 * The child may ask the DNS relay at @p dns, the address of either side. Allow rules do not count:
 * the relay is not what they are about. Nor does a deny rule for a wider network that the child's
 * happens to lie in, unless it names port 53 or is about every address.
 */
bool policy_dns(const struct policy *policy, const struct in6_addr *dns);
/** @return true when @p source is an address that the child may send from: its own network's */
bool policy_is_child(const struct policy *policy, const struct in6_addr *source);
