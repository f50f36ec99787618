#include "rootlesskit/gateway/hash.h"

#include <sys/random.h>

#include "lib/base/clock.h"

uint32_t hash_seed(void)
{
    uint32_t seed;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) < 0)
        seed = (uint32_t)clock_ms(); /* a machine that has just booted */
    return seed;
}

uint32_t hash_mix(uint32_t h, uint32_t word)
{
    h = (h ^ word) * 2654435761U;
    return h ^ h >> 15;
}

uint32_t hash_address(uint32_t h, const struct in6_addr *address, uint16_t port)
{
    for (unsigned i = 0; i < 4; i++)
        h = hash_mix(h, address->s6_addr32[i]);
    return hash_mix(h, port);
}
