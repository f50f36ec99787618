/*
 * Outbound datagrams: the thread that relays the child's UDP and echo, in the host's network
 * namespace, and the one in the gateway namespace that makes its sockets. Apart from the thread of
 * the connections, which a flood of datagrams is not to slow.
 */
#pragma once

#include <pthread.h>
#include <semaphore.h>

#include "lib/base/err.h"
#include "rootlesskit/gateway/echo.h"
#include "rootlesskit/gateway/policy.h"
#include "rootlesskit/gateway/stock.h"
#include "rootlesskit/gateway/udp.h"
#include "rootlesskit/gateway/worker.h"

struct place_gateway;

struct outbound {
    struct worker worker;
    struct policy policy;
    struct icmp_sockets icmp;
    struct stock stock;
    struct udp udp;
    struct echo echo;
    pthread_t thread;
    sem_t ready;
    int result;
    struct err err;
};

/**
 * Starts both threads, which serve until the process ends; they have confined themselves on return.
 * @param place  its sockets stay the caller's, for as long as the process lives
 */
int outbound_start(struct outbound *outbound, const struct policy *policy,
                   const struct place_gateway *place, struct err *err);
