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
struct movers;
struct publish_port;

struct publish {
    struct worker worker;
    struct connector connector;
    struct datagrams datagrams;
    struct publish_port *ports;
};

/**
 * Prepares the thread's worker.
 * @param movers     who takes bulk connections
 * @param as_client  TCP connects with the client's address: source_ip_set_up() was done here
 */
int publish_init(struct publish *publish, struct movers *movers, bool as_client, struct err *err);
/** Serves until the process ends. Call it in the thread that entered the child's namespace. */
void publish_run(struct publish *publish);
/**
 * Serves a port from another thread on: @p take_listen is a listening TCP or a bound UDP socket of
 * the host's, @p target where its clients are taken to in the child. @return 0 or -errno
 */
int publish_add(struct publish *publish, uint32_t id, int take_listen,
                const struct sockaddr_storage *target);
/** Closes the port and its connections. @return 0; -ENOENT when there is none of that id */
int publish_remove(struct publish *publish, uint32_t id);
