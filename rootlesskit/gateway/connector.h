/*
 * From an accepted client of a published port to its target in the child's namespace, as the client
 * where that is possible (source_socket.h): the connecting socket bears the client's address and
 * port.
 *
 * It is possible for a client of the target's family that is neither of a loopback address nor of
 * one that the namespace has itself. When the kernel refuses, or nobody answers within
 * CONNECTOR_WAIT_MS, a plain connection follows; a refusal is the service's own and is passed on.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "rootlesskit/gateway/gateway.h"
#include "rootlesskit/gateway/worker.h"

struct err;
struct relay_census;

/** RootlessKit's: enough for a service on this host. */
#define CONNECTOR_WAIT_MS 1000
/** Attempts that wait at a time; one more is made plainly. */
#define CONNECTOR_ATTEMPTS 4096

/**
 * Connectors of several threads, each of which can have what is in the way of a client: his last
 * connection from the same port, whose end it has not looked at yet. It does before it takes a
 * letter, so he is passed on to the next one, and is joined plainly by the last.
 */
struct connector_ring {
    _Atomic uint32_t begun, done; /**< passes so far */
};

struct connector {
    struct worker *worker;
    struct worker_timer timer;
    enum gateway_source_ip rules;
    struct table attempts;
    struct stats_source stats;
    struct connector_ring *ring; /**< these four by whoever has several; NULL: it is alone */
    struct connector *next;
    uint8_t others; /**< in the ring */
    /** @return false: a client of that port who was passed on is to be reset */
    bool (*has_port)(struct connector *connector, uint32_t owner);
};

/** @param rules  of source_ip_set_up() in the calling thread's namespace, or
 *                GATEWAY_SOURCE_IP_NONE */
int connector_init(struct connector *connector, struct worker *worker, enum gateway_source_ip rules,
                   struct err *err);
/**
 * Joins @p take_sock with a new connection to @p to; on failure the client sees a reset.
 * @param peer   the client's address
 * @param owner  port id, for connector_end_all() and relay_end_all()
 */
void connector_join(struct connector *connector, int take_sock, const struct sockaddr_storage *peer,
                    const struct sockaddr_storage *to, uint32_t owner);
/** Sees the clients that still wait for their connection. */
void connector_census(const struct connector *connector, struct relay_census *census);
/** Resets those of @p owner. */
void connector_end_all(struct connector *connector, uint32_t owner);
