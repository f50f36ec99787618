#include "lib/net/address.h"

#include <string.h>

struct in6_addr address_map(struct in_addr v4)
{
    struct in6_addr v6 = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(&v6.s6_addr[12], &v4, sizeof v4);
    return v6;
}

bool address_is_v4(const struct in6_addr *address)
{
    return IN6_IS_ADDR_V4MAPPED(address);
}

struct in_addr address_v4(const struct in6_addr *mapped)
{
    struct in_addr v4;
    memcpy(&v4, &mapped->s6_addr[12], sizeof v4);
    return v4;
}

int address_family(const struct in6_addr *address)
{
    return address_is_v4(address) ? AF_INET : AF_INET6;
}

bool address_equal(const struct in6_addr *a, const struct in6_addr *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

bool address_within(const struct in6_addr *address, const struct in6_addr *network, uint8_t prefix)
{
    size_t whole = prefix / 8;
    if (memcmp(address, network, whole) != 0)
        return false;
    uint8_t rest = prefix % 8;
    uint8_t mask = (uint8_t)(0xff00U >> rest);
    return rest == 0 || ((address->s6_addr[whole] ^ network->s6_addr[whole]) & mask) == 0;
}

bool address_is_loopback(const struct in6_addr *address)
{
    return address_is_v4(address) ? address->s6_addr[12] == IN_LOOPBACKNET
                                  : IN6_IS_ADDR_LOOPBACK(address);
}

struct in6_addr address_any(int family)
{
    const struct in_addr v4 = {.s_addr = htonl(INADDR_ANY)};
    return family == AF_INET ? address_map(v4) : in6addr_any;
}

bool address_is_any(const struct in6_addr *address)
{
    const struct in6_addr any = address_any(address_family(address));
    return address_equal(address, &any);
}

struct in6_addr address_loopback(int family)
{
    const struct in_addr v4 = {.s_addr = htonl(INADDR_LOOPBACK)};
    return family == AF_INET ? address_map(v4) : in6addr_loopback;
}

struct sockaddr_storage address_to_socket(const struct in6_addr *address, uint16_t port)
{
    struct sockaddr_storage ret = {0};
    if (address_is_v4(address)) {
        struct sockaddr_in v4 = {
            .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = address_v4(address)};
        memcpy(&ret, &v4, sizeof v4);
    } else {
        struct sockaddr_in6 v6 = {
            .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = *address};
        memcpy(&ret, &v6, sizeof v6);
    }
    return ret;
}

uint16_t address_of_socket(const struct sockaddr_storage *socket, struct in6_addr *ret)
{
    if (socket->ss_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, socket, sizeof v4);
        *ret = address_map(v4.sin_addr);
        return ntohs(v4.sin_port);
    }
    struct sockaddr_in6 v6;
    memcpy(&v6, socket, sizeof v6);
    *ret = v6.sin6_addr;
    return ntohs(v6.sin6_port);
}
