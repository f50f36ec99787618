/*
 * Outbound UDP: the first datagram of a pair (mapping.h) arrives at a socket that gets what no pair
 * has a socket for, later ones at the pair's own; the host's socket of the mapping sends them on
 * and receives what comes back, from whomever it comes.
 *
 * Nothing waits: what a socket does not take at once is lost, as UDP may be. Errors of the way go
 * back to the child as ICMP, from whoever reported them; what the child's kernel says of an answer,
 * that nobody listens, ends the pair, and with its last one the mapping: the remote hears the same
 * from the host's kernel.
 *
 * Path MTU: a datagram too long for the way is sent in fragments. Unless it came in fragments, or
 * is longer than an interface of the host's own would have let it be, the child is told, at most
 * once in UDP_TELL_MS a pair, and makes them smaller from then on. One with a hop limit of its own
 * is a question about the way, and is refused.
 */
#pragma once

#include <stdint.h>

#include "lib/base/loop.h"
#include "rootlesskit/gateway/mapping.h"
#include "rootlesskit/gateway/worker.h"

struct burst;
struct err;
struct icmp_sockets;
struct policy;

#define UDP_TELL_MS 1000

struct udp {
    struct worker *worker;
    const struct policy *policy;
    const struct icmp_sockets *icmp;
    struct burst *burst;
    struct loop_source v4, v6; /**< of what no pair has a socket for */
    struct mappings mappings;
    struct worker_timer timer;
    struct stats_source stats;
};

/**
 * Begins to serve.
 * @param fd4, fd6  as place.h's udp_fd; stay the caller's; fd6 < 0: no IPv6
 * @param fds       how many it may hold
 */
int udp_init(struct udp *udp, struct worker *worker, const struct policy *policy,
             const struct icmp_sockets *icmp, struct stock *stock, int fd4, int fd6, uint32_t fds,
             struct err *err);
