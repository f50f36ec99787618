/*
 * Published UDP ports. Each client of a port is a flow with a socket of its own in the child's
 * namespace, by which the service tells clients apart and its answers find the way back; it bears
 * the client's address where it can (source_socket.h), else the namespace's. Of two flows that
 * would be one to the service (a client that asks two addresses of this host from one port) the
 * later has the namespace's. Answers leave from the address that the client sent to.
 *
 * Nothing waits: what a socket does not take at once is lost, as UDP may be. Flows are bounded; the
 * one that has been idle longest makes room for a new one, in a full table and for want of fds, but
 * not while an answer waits on its socket.
 */
#pragma once

#include <stdint.h>
#include <sys/socket.h>

#include "lib/base/loop.h"
#include "rootlesskit/gateway/gateway.h"
#include "rootlesskit/gateway/recent.h"
#include "rootlesskit/gateway/table.h"
#include "rootlesskit/gateway/worker.h"

struct burst;
struct datagram_flow;
struct err;

/** A flow without a datagram in either direction ends: RootlessKit's time. */
#define DATAGRAM_IDLE_MS 90000
/** Flows of all ports: an fd each, and a few KiB of the kernel's, which strangers can cause. */
#define DATAGRAM_FLOWS 16384
#define DATAGRAM_BUCKETS 16384

struct datagrams {
    struct worker *worker;
    struct worker_timer timer;
    enum gateway_source_ip rules;
    struct burst *burst;
    struct table flows;
    struct datagram_flow **buckets; /**< DATAGRAM_BUCKETS chains by client */
    struct recent by_use;
    uint16_t *services; /**< by port of a target: how many published ports lead there */
    uint32_t seed;      /**< of the hash: strangers choose the keys */
    struct stats_source stats;
};

struct datagram_port {
    struct loop_source source;
    struct datagrams *datagrams;
    struct sockaddr_storage target;
    int fd;
    int family; /**< of the socket */
    uint32_t id;
};

/** Prepares the calling thread's flows; it makes their sockets in its network namespace.
 *  @param rules  of source_ip_set_up() there, or GATEWAY_SOURCE_IP_NONE */
int datagrams_init(struct datagrams *datagrams, struct worker *worker, enum gateway_source_ip rules,
                   struct err *err);
/** Begins to serve @p fd (borrowed), a bound, non-blocking UDP socket, as port @p id.
 *  @return 0 or -errno */
int datagram_open(struct datagrams *datagrams, struct datagram_port *port, uint32_t id, int fd,
                  const struct sockaddr_storage *target);
/** Ends the port's flows and leaves the loop; the fd stays the caller's. */
void datagram_close(struct datagram_port *port);
