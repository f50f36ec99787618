#include "rootlesskit/gateway/hops.h"

#define USUAL 64
#define NEAR 8

uint8_t hops_onward(uint8_t hops)
{
    if (hops == 0 || (hops <= USUAL && hops > USUAL - NEAR))
        return 0;
    return (uint8_t)(hops - 1);
}
