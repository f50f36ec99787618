/*
 * Published TCP ports: threads in the child's namespace, one a CPU, that take clients and dial for
 * them. All of them watch the same listening sockets, and a client wakes one that has nothing to do
 * (EPOLLEXCLUSIVE): a port has one queue, so nobody waits behind a busy thread while another is
 * idle, and the sockets stay as they were bound (SO_REUSEPORT would let others of this user in).
 * Who takes a client carries it; bulk goes to the movers as ever.
 *
 * The first one is the thread that serves all the rest of the published ports (publish.h), and the
 * one that calls the functions here once the others run: it asks the others.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "rootlesskit/gateway/connector.h"
#include "rootlesskit/gateway/gateway.h"
#include "rootlesskit/gateway/worker.h"

struct acceptor_port;
struct err;
struct movers;
struct relay_census;

#define ACCEPTORS_MAX 4

struct acceptor {
    struct worker worker;
    struct connector connector;
    struct acceptor_port *ports;
};

struct acceptors {
    unsigned n;
    struct connector_ring ring;
    struct acceptor acceptor[ACCEPTORS_MAX];
};

/** @return how many are of use: as many as this process has CPUs, up to ACCEPTORS_MAX */
unsigned acceptors_wanted(void);
/**
 * Prepares @p n of them.
 * @param movers  who takes bulk connections
 * @param rules   of source_ip_set_up() in the calling thread's namespace
 */
int acceptors_init(struct acceptors *acceptors, unsigned n, struct movers *movers,
                   enum gateway_source_ip rules, struct err *err);
/** Starts all but the first, as threads with the caller's namespace and capabilities; they end with
 *  the process. @return 0 or -errno */
int acceptors_start(struct acceptors *acceptors, struct err *err);
/** Begins to take clients of @p fd (borrowed), a listening, non-blocking socket, to @p target
 *  (borrowed until acceptors_close()). @return 0; -errno: none of them does */
int acceptors_open(struct acceptors *acceptors, uint32_t id, int fd,
                   const struct sockaddr_storage *target);
/** Takes no more, after all that wait by now where @p take_all is set. Of a port that is not open
 *  it does nothing. */
void acceptors_close(struct acceptors *acceptors, uint32_t id, bool take_all);
/** Resets the connections of a closed port, also those that movers carry and those still being
 * made, and forgets it. To be called of every port, in the end. */
void acceptors_end_all(struct acceptors *acceptors, uint32_t id);
/** Sees whose they are. */
void acceptors_census(struct acceptors *acceptors, struct relay_census *census);
/** @return how many connections services have refused so far */
uint64_t acceptors_refused(const struct acceptors *acceptors);
