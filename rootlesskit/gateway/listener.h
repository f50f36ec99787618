/*
 * A listening socket that is never lost: when the process runs out of fds or memory it pauses and
 * tries again at the next tick, instead of spinning or giving up. Several threads may have one each
 * for the same socket.
 */
#pragma once

#include <sys/socket.h>

#include "lib/base/loop.h"
#include "rootlesskit/gateway/worker.h"

struct listener;

/** @param take_sock  the accepted socket, non-blocking; peer is its address */
typedef void listener_fn(struct listener *listener, int take_sock,
                         const struct sockaddr_storage *peer);

struct listener {
    struct loop_source source;
    struct worker_timer retry;
    struct worker *worker;
    listener_fn *fn;
    int fd;
};

int listener_start(struct listener *listener, struct worker *worker, int fd, listener_fn *fn);
/** Takes some of what waits by now, without another round of the loop. */
void listener_take(struct listener *listener);
/** Takes all of it, as far as there are fds; of those who come meanwhile some. */
void listener_take_all(struct listener *listener);
/** Leaves the loop; the fd stays the caller's. */
void listener_stop(struct listener *listener);
