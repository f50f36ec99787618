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
    const struct in6_addr any_v4 = address_any(AF_INET);
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
    struct in6_addr ip;
    uint16_t port = address_of_socket(&place->address, &ip);
    if (address_is_any(&ip))
        ip = address_any(family);
    return at(family, &ip, port, false);
}

struct sockaddr_storage place_own_address(const struct port_place *place)
{
    struct in6_addr ip;
    uint16_t port = address_of_socket(&place->address, &ip);
    if (address_is_any(&ip))
        ip = address_loopback(place->dual ? AF_INET : address_family(&ip));
    else if (!address_is_v4(&ip))
        return place->address; /* with the zone of a link-local one */
    return address_to_socket(&ip, port);
}
