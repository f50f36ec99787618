/*
 * Published ports: a thread that lives in the child's network namespace. Listening sockets made on
 * the host arrive as fds and accept there; a socket made by this thread connects in the child.
 */
#pragma once

#include <pthread.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/base/loop.h"
#include "rootlesskit/gateway/listener.h"
#include "rootlesskit/gateway/worker.h"

struct err;

/** Orders from the main thread, over a socket pair; each is answered with the same struct. */
struct publish_order {
    uint32_t op; /**< GATEWAY_PORT_ADD or GATEWAY_PORT_REMOVE */
    uint32_t id;
    int32_t fd;   /**< ADD: the listening socket, now the thread's (threads share the fd table) */
    int32_t code; /**< in the answer: 0 or -errno */
    struct sockaddr_storage target;
};

struct publish_port;

struct publish {
    struct worker worker;
    struct loop_source orders;
    struct publish_port *ports;
};

/** Prepares the thread's worker; @p order_fd (borrowed) is its end of the pair. */
int publish_init(struct publish *publish, int order_fd, struct err *err);
/** Serves until the process ends. Call it in the thread that entered the child's namespace. */
void publish_run(struct publish *publish);
