/*
 * Outbound TCP: holds a child's SYN while the host side connects, then lets the gateway namespace's
 * kernel accept it, and joins the two sockets.
 */
#pragma once

#include <stdint.h>

#include "lib/base/loop.h"
#include "rootlesskit/gateway/listener.h"
#include "rootlesskit/gateway/packet.h"
#include "rootlesskit/gateway/place.h"
#include "rootlesskit/gateway/worker.h"

struct err;
struct policy;

/** SYNs held at a time; one more is dropped, and its sender tries again. */
#define FLOWS_MAX 4096
#define FLOW_BUCKETS 4096

enum flow_state { FLOW_CONNECTING, FLOW_INJECTED };

struct flows;

struct flow {
    struct table_item item;
    enum flow_state state;
    struct packet_tuple tuple;
    struct flows *flows;
    struct flow *next; /**< in its bucket */
    struct loop_source source;
    int fd;           /**< the host side */
    uint32_t seq;     /**< of the SYN */
    int64_t deadline; /**< ms */
    uint8_t syn_len;
    uint8_t syn[PACKET_SYN_MAX];
};

struct flows {
    struct worker *worker;
    const struct policy *policy;
    struct icmp_sockets icmp;
    int tun_fd;
    uint32_t seed; /**< of the hash */
    struct loop_source tun;
    struct listener v4, v6; /**< transparent, in G */
    struct worker_timer timer;
    struct listener *injected; /**< who has got a SYN in this turn */
    struct table table;        /**< no more of them than leaves fds for what is connected */
    struct flow *evicted;      /**< who made room last */
    struct stats_source stats;
    struct flow *buckets[FLOW_BUCKETS];
};

/** Begins to serve. The fds of @p place and the policy stay the caller's. */
int flows_init(struct flows *flows, struct worker *worker, const struct policy *policy,
               const struct place_gateway *place, struct err *err);
