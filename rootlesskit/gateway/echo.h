/*
 * Outbound echo (ping), of both families: requests of the child's arrive at the raw sockets of the
 * gateway namespace, go on by ping sockets of the host's (icmp(7): SOCK_DGRAM, for which
 * net.ipv4.ping_group_range must include the user's group), one an address and id of the child's,
 * and the replies and errors go back as they are. The gateway's and the DNS address answer
 * themselves.
 */
#pragma once

#include <stdint.h>

#include "lib/base/loop.h"
#include "rootlesskit/gateway/icmp.h"
#include "rootlesskit/gateway/recent.h"
#include "rootlesskit/gateway/table.h"
#include "rootlesskit/gateway/worker.h"

struct echo_flow;
struct err;
struct policy;

/** An fd each; the one used longest ago makes room, but not while a reply waits on its socket. */
#define ECHO_FLOWS 1024
#define ECHO_BUCKETS 1024
/** Without a packet either way: RFC 5508, 3.2 wants a minute at least. */
#define ECHO_IDLE_MS 60000

struct echo {
    struct worker *worker;
    const struct policy *policy;
    struct icmp_sockets icmp;
    struct loop_source v4, v6;
    struct worker_timer timer;
    struct recent by_use;
    struct table flows;
    struct echo_flow *buckets[ECHO_BUCKETS];
    uint32_t seed;
    struct stats_source stats;
};

/**
 * Begins to serve.
 * @param icmp  its sockets stay the caller's
 * @param fds   how many it may hold
 */
int echo_init(struct echo *echo, struct worker *worker, const struct policy *policy,
              const struct icmp_sockets *icmp, uint32_t fds, struct err *err);
