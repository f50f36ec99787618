#include "rootlesskit/handover/place.h"

#include <netinet/in.h>

#include "lib/net/address.h"
#include "rootlesskit/handover/original.h"
#include "rootlesskit/port/spec.h"

/* A mapped address is one of AF_INET6 here: address_to_socket() makes one of AF_INET of it. */
static struct port_place at(int family, const struct in6_addr *ip, uint16_t port, bool dual)
{
    struct port_place place = {.dual = dual};
    if (family == AF_INET) {
        place.address = address_to_socket(ip, port);
        place.len = sizeof(struct sockaddr_in);
        return place;
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&place.address;
    *v6 =
        (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = *ip};
    place.len = sizeof *v6;
    return place;
}

bool place_of(const struct original *original, const struct port_spec *spec, struct place *ret)
{
    static const struct in_addr any = {.s_addr = INADDR_ANY};
    const struct in6_addr any_v4 = address_map(any);
    const struct port_place whole = port_place_of(spec);
    const uint16_t port = spec->parent_port;
    struct in6_addr ip;
    (void)address_of_socket(&whole.address, &ip);
    *ret = (struct place){.twin = whole};
    if (whole.dual) {
        bool v4 = original->family == AF_INET;
        if (v4)
            ret->twin = at(AF_INET, &any_v4, port, false);
        else
            ret->twin.dual = !original->v6only;
        if (v4)
            ret->stand_in = at(AF_INET6, &in6addr_any, port, false);
        else if (original->v6only)
            ret->stand_in = at(AF_INET, &any_v4, port, false);
        return true;
    }
    if (whole.address.ss_family == original->family)
        return true;
    if (original->family == AF_INET || original->v6only)
        return false;
    ret->twin = at(AF_INET6, &ip, port, true);
    return true;
}

bool place_takes(const struct port_place *place, int family)
{
    struct in6_addr ip;
    (void)address_of_socket(&place->address, &ip);
    return address_family(&ip) == family || (IN6_IS_ADDR_UNSPECIFIED(&ip) && place->dual);
}

struct port_place place_narrow(const struct port_place *place, int family)
{
    static const struct in_addr any = {.s_addr = INADDR_ANY};
    struct in6_addr ip;
    uint16_t port = address_of_socket(&place->address, &ip);
    if (IN6_IS_ADDR_UNSPECIFIED(&ip) && family == AF_INET)
        ip = address_map(any);
    return at(family, &ip, port, false);
}

struct sockaddr_storage place_own_address(const struct port_place *place)
{
    const struct in_addr loopback = {.s_addr = htonl(INADDR_LOOPBACK)};
    struct in6_addr ip;
    uint16_t port = address_of_socket(&place->address, &ip);
    bool any_v4 = address_is_v4(&ip) && address_v4(&ip).s_addr == htonl(INADDR_ANY);
    bool any_v6 = IN6_IS_ADDR_UNSPECIFIED(&ip);
    if (any_v4 || (any_v6 && place->dual))
        ip = address_map(loopback);
    else if (any_v6)
        ip = in6addr_loopback;
    else
        return place->address.ss_family == AF_INET6 && !address_is_v4(&ip)
                   ? place->address /* with the zone of a link-local address */
                   : address_to_socket(&ip, port);
    return address_to_socket(&ip, port);
}
