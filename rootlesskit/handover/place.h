/* Where the host's socket has to be bound that takes the place of a service's. */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

#include "rootlesskit/port/bind.h"

struct original;
struct port_spec;

struct place {
    struct port_place twin;     /**< of the original's family: what it accepts looks the same */
    struct port_place stand_in; /**< of the other one, for whose clients the port is relayed as
                                     ever; len 0: none */
};

/** @param spec  a checked TCP port, its parent port known
 *  @return false when the original takes none of the port's clients as they come */
bool place_of(const struct original *original, const struct port_spec *spec, struct place *ret);
/** A socket there takes clients of @p family. */
bool place_takes(const struct port_place *place, int family);
/** The place of such clients alone. @param place  takes them */
struct port_place place_narrow(const struct port_place *place, int family);
/** The address at which the host itself reaches what is bound there. */
struct sockaddr_storage place_own_address(const struct port_place *place);
