/*
 * The DNS server of the gateway namespace: relays to the host's resolvers as they are now. A query
 * over UDP is passed on as it is, from a socket (and so a random port) of its own; a connection is
 * joined with one to a resolver. Queries under way are asked again when the resolvers change.
 *
 * Resolvers are asked in the order of the host's resolv.conf, each query anew, as libc does it: the
 * next one when one refuses, fails (SERVFAIL, NOTIMP, REFUSED) or does not answer in its share of
 * the time that libc gives one server (options timeout of resolv.conf(5)). So the child, for whom
 * the relay is one server, gets the answer in time, or SERVFAIL. The options rotate and attempts
 * are for the child's libc alone, which has them in its own resolv.conf.
 */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

#include "lib/base/loop.h"
#include "rootlesskit/gateway/listener.h"
#include "rootlesskit/gateway/resolvers.h"
#include "rootlesskit/gateway/table.h"
#include "rootlesskit/gateway/worker.h"

struct err;

/** UDP queries under way; one more is dropped, and its sender asks again. */
#define DNS_QUERIES 2048
/** Connections that wait for a resolver; one more is reset. */
#define DNS_CALLS 256
/** A query over UDP: one question and EDNS fits easily; longer ones go by TCP. */
#define DNS_QUERY_MAX 1232

struct dns;
struct dns_query;
struct dns_call;

/** The sockets at one address of the server. */
struct dns_front {
    struct dns *dns;
    struct loop_source udp;
    struct listener tcp;
    bool refused; /**< by a rule of egress */
};

struct dns {
    struct worker *worker;
    struct dns_front v4, v6;
    struct worker_timer timer;
    struct resolvers resolvers;
    struct table queries, calls;
    struct dns_query *waiting_query; /**< for a look at the host's resolvers */
    struct dns_call *waiting_call;   /**< likewise */
};

/** @param resolvers_fd  resolvers_init()'s */
int dns_init(struct dns *dns, struct worker *worker, int resolvers_fd, struct err *err);
/**
 * Begins to serve at one of the addresses, on two sockets that stay the caller's.
 * @param front    &dns->v4 or &dns->v6
 * @param refused  every query gets REFUSED, every connection a reset
 */
int dns_serve(struct dns *dns, struct dns_front *front, int udp_fd, int tcp_fd, bool refused,
              struct err *err);
