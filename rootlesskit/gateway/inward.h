/*
 * The other way round than a published port: clients of the child's, who come to a service that has
 * a listening socket of the host's (handover/handover.h) by the socket that it had before, and are
 * taken to the host's. They lose their address: the service sees one of the host.
 *
 * In the main thread, whose sockets are the host's.
 */
#pragma once

#include <stdint.h>
#include <sys/socket.h>

struct inward_socket;
struct worker;

struct inward {
    struct worker *worker;
    struct inward_socket *sockets;
};

/** Takes the clients of @p take_listen to @p to, for port @p id. @param seat  names it, among the
 *  port's; not 0. @return 0 or -errno */
int inward_add(struct inward *inward, uint32_t id, uint32_t seat, int take_listen,
               const struct sockaddr_storage *to);
/** Closes that of port @p id and @p seat, or all of the port's (0); their connections go on. */
void inward_close(struct inward *inward, uint32_t id, uint32_t seat);
/** The same, and resets the connections. */
void inward_end(struct inward *inward, uint32_t id);
