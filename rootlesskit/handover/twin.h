/* The host's socket that takes the place of a service's. */
#pragma once

#include <stdbool.h>

struct original;
struct port_place;

/** Whether the kernel lets us lock a TCP socket with a filter: of late it wants CAP_NET_ADMIN. */
bool twin_can_lock(void);
/**
 * A listening socket in our network namespace with the options of its original, beside the port's
 * own socket, which has SO_REUSEPORT and does not listen.
 *
 * Who gets it can make a connection of its own with it (connect(2) to AF_UNSPEC, then anywhere):
 * from the host, past whatever the child's network does not let through. And one that it accepted
 * can be bound anew after that, at any address of the host's, and listen there. A filter that
 * nobody can take off, which accepted sockets inherit, drops every answer to such a connection (RFC
 * 9293, 3.5: SYN and ACK together), and all that did not go to the port's own address.
 *
 * @param must_lock  where that matters
 * @return an fd, the caller's; -EPERM when it cannot be locked; -errno
 */
int twin_make(const struct original *original, const struct port_place *place, int backlog,
              bool must_lock);
/** The same for the clients of the family that the twin does not take: non-blocking, to be accepted
 *  from by us. */
int twin_stand_in(const struct port_place *place);
