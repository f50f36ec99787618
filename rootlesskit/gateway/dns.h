/*
 * The DNS server of the gateway namespace: relays to the host's resolvers as they are now. UDP
 * queries are passed on unread, each from a socket (and so a random port) of its own; TCP is
 * joined.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/base/loop.h"
#include "rootlesskit/gateway/gateway.h"
#include "rootlesskit/gateway/listener.h"
#include "rootlesskit/gateway/worker.h"

struct err;

/** UDP queries under way; one more is dropped, and its sender asks again. */
#define DNS_SLOTS 512
/** A query over UDP: one question and EDNS fits easily; longer ones go by TCP. */
#define DNS_QUERY_MAX 1232

struct dns;

struct dns_slot {
    struct loop_source source;
    struct loop_grave grave;
    struct dns *dns;
    struct dns_slot *next_free;
    int fd; /**< connected to resolver number @p tried - 1; < 0: slot unused */
    struct sockaddr_storage client;
    int64_t deadline;
    uint32_t tried;
    uint16_t len;
    uint8_t query[DNS_QUERY_MAX];
};

struct dns {
    struct worker *worker;
    struct loop_source udp;
    struct listener tcp;
    struct worker_timer timer;
    struct sockaddr_storage resolvers[GATEWAY_RESOLVERS_MAX];
    uint32_t n_resolvers;
    struct dns_slot *slots; /**< DNS_SLOTS, touched only when used */
    struct dns_slot *free;
    uint32_t used;
};

/** Begins to serve on two sockets of the gateway namespace, which stay the caller's. */
int dns_init(struct dns *dns, struct worker *worker, int udp_fd, int tcp_fd, struct err *err);
void dns_set_resolvers(struct dns *dns, const struct sockaddr_storage *resolvers, uint32_t n);
