/*
 * Hand-over of published TCP ports: when a service in the child's network is about to listen where
 * a port leads to, it gets a listening socket of the host's in the place of its own. Its clients'
 * connections are then the host's and its own: nothing relays, and it sees their addresses.
 *
 * The service's first socket listens on, and the data plane process relays who comes to it from
 * within the child to the host's (gateway/inward.h). When the service has closed the host's socket,
 * the port is relayed again; nobody tells of that, so it is looked at four times a second, and when
 * somebody binds.
 *
 * Part of the parent's loop.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/loop.h"
#include "rootlesskit/handover/choice.h"

struct err;
struct handover_seat;
struct ports;
struct rk_config;

/** Places that services may have at a time: one a port, or two. */
#define HANDOVER_MAX 1024

struct handover {
    /* set by the caller before */
    struct loop *loop;
    struct ports *ports;
    const struct rk_config *config;
    int netns_fd; /**< of the child; borrowed */

    struct loop_source notices, clock;
    int notice_fd, clock_fd, diag_fd;
    ino_t netns; /**< inode */
    struct handover_seat *seats;
    uint32_t last;  /**< seat's number */
    size_t n, next; /**< to be looked at */
    struct choice_patience patience;
};

#define HANDOVER_UNSET                                             \
    {                                                              \
        .notice_fd = -EBADF, .clock_fd = -EBADF, .diag_fd = -EBADF \
    }

/** @param take_fd  of handover_filter_install() in the child. @return 0 or -errno */
int handover_start(struct handover *handover, int take_fd, struct err *err);
/** A service has port @p id. */
bool handover_has(const struct handover *handover, uint32_t id);
/** Of a port about to be removed: its sockets listen no more, and @p connections that came by them
 *  are reset. */
void handover_end(struct handover *handover, uint32_t id, bool connections);
void handover_stop(struct handover *handover);
