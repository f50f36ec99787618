/*
 * Published ports: a thread that lives in the child's network namespace. Sockets bound on the host
 * arrive as fds and take clients there; a socket made by this thread connects in the child.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/base/loop.h"
#include "rootlesskit/gateway/connector.h"
#include "rootlesskit/gateway/datagram.h"
#include "rootlesskit/gateway/worker.h"

struct err;

/** Orders from the main thread, over a socket pair; each is answered with the same struct. */
struct publish_order {
    uint32_t op; /**< GATEWAY_PORT_ADD or GATEWAY_PORT_REMOVE */
    uint32_t id;
    int32_t fd;   /**< ADD: the host's socket, now the thread's (threads share the fd table) */
    int32_t code; /**< in the answer: 0 or -errno */
    struct sockaddr_storage target;
};

struct publish_port;

struct publish {
    struct worker worker;
    struct loop_source orders;
    struct connector connector;
    struct datagrams datagrams;
    struct publish_port *ports;
};

/**
 * Prepares the thread's worker; @p order_fd (borrowed) is its end of the pair.
 * @param as_client  TCP connects with the client's address: source_ip_set_up() was done here
 */
int publish_init(struct publish *publish, int order_fd, bool as_client, struct err *err);
/** Serves until the process ends. Call it in the thread that entered the child's namespace. */
void publish_run(struct publish *publish);
