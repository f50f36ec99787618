/*
 * Published SCTP ports, where the kernel has SCTP: a client's association and one of ours with the
 * service, joined message by message. Each keeps its boundaries, stream, order (or that it has
 * none) and payload protocol identifier; the service is offered as many streams as the client has.
 *
 * Not kept are the client's address, and further addresses of either side: each association has
 * its own. A message that is longer than SCTP_MESSAGE_MAX, or of a stream that the other side does
 * not take, aborts both. Who sends faster than the other side reads is not read meanwhile; one
 * message waits in memory that is there as long as it does. With too many of them nobody else is
 * read who might need some, each until his turn comes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "rootlesskit/gateway/listener.h"
#include "rootlesskit/gateway/room.h"
#include "rootlesskit/gateway/worker.h"

struct err;
struct relay_census;

/** What a socket takes where net.core.wmem_max is Linux's default, rounded down. */
#define SCTP_MESSAGE_MAX (256 * 1024)
/** Of all ports: two fds each, which strangers can cause. */
#define SCTP_ASSOCIATIONS 4096
/** Messages that wait, of all associations: 64 MiB at most, which a small machine can spare.
 * Strangers could have each way of SCTP_ASSOCIATIONS hold one, which makes 2 GiB. */
#define SCTP_HELD 256
/** For a message that waits, or has not come whole, while others want its memory: 256 KiB take as
 * long at 200 kbit/s. */
#define SCTP_HELD_MS 10000
/** Each way, at most: the kernel has memory for each stream of an association. */
#define SCTP_STREAMS 1024
/** For the service to answer. */
#define SCTP_CONNECT_MS 3000

struct sctp {
    struct worker *worker;
    struct worker_timer timer; /**< while somebody connects, or waits for room */
    struct table associations;
    struct room room; /**< for messages that wait */
    unsigned char *buffer;
    struct stats_source stats;
};

struct sctp_port {
    struct listener listener;
    struct sctp *sctp;
    const struct sockaddr_storage *target;
    uint32_t id;
};

/** Prepares the calling thread's associations: sockets to services are made in its namespace. */
int sctp_init(struct sctp *sctp, struct worker *worker, struct err *err);
/** Begins to serve @p fd (borrowed), a listening, non-blocking socket of one-to-one style.
 *  @p target is borrowed until sctp_close(). @return 0 or -errno */
int sctp_open(struct sctp *sctp, struct sctp_port *port, uint32_t id, int fd,
              const struct sockaddr_storage *target);
/** Takes no more clients, after all that wait by now where @p take_all is set; the fd stays the
 *  caller's. */
void sctp_close(struct sctp_port *port, bool take_all);
/** Aborts all associations of port @p id. */
void sctp_end_all(struct sctp *sctp, uint32_t id);
/** Sees whose they are. */
void sctp_census(const struct sctp *sctp, struct relay_census *census);
