/*
 * Who serves in the child's network: the sockets that listen there, by socket diagnostics
 * (sock_diag(7)), one dump a family and protocol each time somebody wants to know.
 *
 * A socket serves an address as the kernel looks it up: its own, 0.0.0.0 for every IPv4 address, ::
 * for every IPv6 one and, without IPV6_V6ONLY, every IPv4 one. One that is bound to a device serves
 * us on the loopback device alone, by which local connections go.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct err;

/** Sockets kept of one look: every port of one address. What a child may have beyond that is not
 *  told apart from what is not known. */
#define SERVICES_MAX 65536

enum services_state {
    SERVICES_NONE, /**< nobody listens there */
    SERVICES_SERVED,
    SERVICES_UNKNOWN, /**< the kernel does not tell; or nobody listens on an address from which
                           packet rules may lead elsewhere: any but the loopback's */
};

struct services_socket;

struct services {
    int fd; /**< a socket of the namespace's; < 0: nothing is known */
    uint32_t seq;
    uint32_t n;
    bool whole[2]; /**< the last look got all sockets of that type; [1]: SOCK_STREAM */
    struct services_socket *sockets;
    uint32_t *first; /**< by port: 1 + index of its first socket, 0 = none */
};

/** What the API is told of a port. */
struct services_record {
    uint32_t port_id;
    uint32_t state;       /**< enum services_state */
    uint32_t handed_over; /**< 1: to the service (handover/handover.h) */
};

/** Opens it for the calling thread's network namespace. @return 0 or -errno: it knows nothing */
int services_open(struct services *services, struct err *err);
/**
 * Looks which sockets there are, in place of what was known.
 * @param types   bits 1 << SOCK_STREAM (those that listen), 1 << SOCK_DGRAM (unconnected ones)
 * @param buffer  to read into, 32 KiB or more (netlink's largest part of a dump)
 * @return 0; -errno: of one of the types nothing is known
 */
int services_look(struct services *services, unsigned types, void *buffer, size_t size);
/** Whether a socket that is bound to @p address serves @p target, ports aside.
 *  @param both  it is one of IPv6 that takes IPv4 too */
bool services_serves(const struct in6_addr *address, bool both,
                     const struct sockaddr_storage *target);
/** @return what the last look says of @p target for sockets of @p type */
enum services_state services_of(const struct services *services, int type,
                                const struct sockaddr_storage *target);
