#include "rootlesskit/gateway/policy.h"

#include <errno.h>
#include <stddef.h>

#include "lib/net/address.h"

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

static bool means_nothing(const struct in6_addr *dest)
{
    return address_is_v4(dest) ? means_nothing_v4(dest) : means_nothing_v6(dest);
}

int policy_destination(const struct policy *policy, const struct in6_addr *dest, uint16_t port,
                       struct in6_addr *ret)
{
    (void)port;
    const struct policy_network *net = side(policy, dest);
    *ret = *dest;
    if (!net)
        return -EACCES;
    if (address_equal(dest, &net->gateway)) {
        *ret = host_loopback(dest);
        return policy->host_loopback ? 0 : -EACCES;
    }
    return means_nothing(dest) || address_within(dest, &net->network, net->prefix) ? -EACCES : 0;
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
    return means_nothing(from) || address_within(from, &net->network, net->prefix) ? -EACCES : 0;
}

bool policy_is_child(const struct policy *policy, const struct in6_addr *source)
{
    const struct policy_network *net = side(policy, source);
    return net && address_within(source, &net->network, net->prefix);
}
