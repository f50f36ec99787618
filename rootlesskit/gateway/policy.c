#include "rootlesskit/gateway/policy.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "lib/net/address.h"

#define DNS_PORT 53

static const struct policy_network *side(const struct policy *policy, const struct in6_addr *of)
{
    if (address_is_v4(of))
        return &policy->v4;
    return policy->ipv6 ? &policy->v6 : NULL;
}

static struct in6_addr host_loopback(const struct in6_addr *gateway)
{
    struct in_addr v4 = {.s_addr = htonl(INADDR_LOOPBACK)};
    return address_is_v4(gateway) ? address_map(v4) : in6addr_loopback;
}

/* 0.0.0.0/8 means this host, 127/8 its loopback (RFC 6890), 224/3 is no single host. */
static bool means_nothing_v4(const struct in6_addr *dest)
{
    uint8_t first = dest->s6_addr[12];
    return first == 0 || first == IN_LOOPBACKNET || first >> 5 == 7;
}

/* ::/96 holds ::, ::1 and the IPv4-compatible addresses; a link-local one is another one on every
 * link. */
static bool means_nothing_v6(const struct in6_addr *dest)
{
    return address_within(dest, &in6addr_any, 96) || IN6_IS_ADDR_MULTICAST(dest) ||
           IN6_IS_ADDR_LINKLOCAL(dest);
}

/* The IPv4 addresses in an IPv6 one, at @p at: that of the host it stands for (NAT64), or those
 * that the packets go to outside of a tunnel (6to4; Teredo's server and, inverted, its client). */
static struct in6_addr inner(const struct in6_addr *dest, size_t at, bool inverted)
{
    struct in_addr v4;
    memcpy(&v4, &dest->s6_addr[at], sizeof v4);
    if (inverted)
        v4.s_addr = ~v4.s_addr;
    return address_map(v4);
}

static const struct embedding {
    struct in6_addr network;
    uint8_t prefix;
    uint8_t at;
    bool inverted;
} embeddings[] = {
    {{{{0x00, 0x64, 0xff, 0x9b}}}, 96, 12, false}, /* RFC 6052, 2.1 */
    {{{{0x20, 0x02}}}, 16, 2, false},              /* RFC 3056, 2 */
    {{{{0x20, 0x01}}}, 32, 4, false},              /* RFC 4380, 4 */
    {{{{0x20, 0x01}}}, 32, 12, true},
};

/* @return true when an IPv4 address in @p dest may not be reached: means nothing, or is denied */
static bool leads_astray(const struct policy *policy, const struct in6_addr *dest, uint16_t port)
{
    for (size_t i = 0; i < sizeof embeddings / sizeof embeddings[0]; i++) {
        const struct embedding *embedding = &embeddings[i];
        if (!address_within(dest, &embedding->network, embedding->prefix))
            continue;
        struct in6_addr v4 = inner(dest, embedding->at, embedding->inverted);
        if (means_nothing_v4(&v4) || (policy->egress && egress_denies(policy->egress, &v4, port)))
            return true;
    }
    return false;
}

static bool means_nothing(const struct in6_addr *dest)
{
    return address_is_v4(dest) ? means_nothing_v4(dest) : means_nothing_v6(dest);
}

bool policy_permits(const struct policy *policy, const struct in6_addr *host, uint16_t port)
{
    return !leads_astray(policy, host, port) &&
           (!policy->egress || egress_permits(policy->egress, host, port));
}

/* An address other than the gateway's that somebody outside may have. */
static bool is_outside(const struct policy_network *net, const struct in6_addr *address)
{
    return !means_nothing(address) && !address_within(address, &net->network, net->prefix);
}

int policy_destination(const struct policy *policy, const struct in6_addr *dest, uint16_t port,
                       struct in6_addr *ret)
{
    const struct policy_network *net = side(policy, dest);
    *ret = *dest;
    if (!net)
        return -EACCES;
    bool open = is_outside(net, dest);
    if (address_equal(dest, &net->gateway)) {
        *ret = host_loopback(dest);
        open = policy->host_loopback;
    }
    return open && policy_permits(policy, ret, port) ? 0 : -EACCES;
}

int policy_origin(const struct policy *policy, const struct in6_addr *from, struct in6_addr *ret)
{
    const struct policy_network *net = side(policy, from);
    *ret = *from;
    if (!net)
        return -EACCES;
    if (address_is_loopback(from)) {
        *ret = net->gateway;
        return policy->host_loopback ? 0 : -EACCES;
    }
    return is_outside(net, from) ? 0 : -EACCES;
}

bool policy_dns(const struct policy *policy, const struct in6_addr *dns)
{
    const struct policy_network *net = side(policy, dns);
    return net && (!policy->egress || !egress_names(policy->egress, dns, DNS_PORT, net->prefix));
}

bool policy_is_child(const struct policy *policy, const struct in6_addr *source)
{
    const struct policy_network *net = side(policy, source);
    return net && address_within(source, &net->network, net->prefix);
}
