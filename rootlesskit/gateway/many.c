#include "rootlesskit/gateway/many.h"

#include <stdint.h>

#include "lib/net/address.h"
#include "rootlesskit/gateway/policy.h"

static bool ends_network(const struct policy_network *net, const struct in6_addr *v4)
{
    uint8_t prefix = (uint8_t)(net->prefix - ADDRESS_V4_BITS);
    if (prefix > 30 || !address_within(v4, &net->network, net->prefix))
        return false;
    uint32_t hosts = UINT32_MAX >> prefix;
    return (ntohl(address_v4(v4).s_addr) & hosts) == hosts;
}

bool many_hosts(const struct policy *policy, const struct in6_addr *address)
{
    if (!address_is_v4(address))
        return IN6_IS_ADDR_MULTICAST(address);
    return address->s6_addr[12] >> 5 == 7 || ends_network(&policy->v4, address);
}
