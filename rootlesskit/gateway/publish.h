/*
 * Published ports: threads that live in the child's network namespace. Sockets bound on the host
 * arrive as fds and take clients there; a socket made by such a thread connects in the child. TCP
 * clients are shared among the acceptors; the first of these is the port thread, which has the list
 * of ports, all of UDP and SCTP, and whatever is asked for.
 *
 * With when_listening a TCP port refuses its clients while nobody in the child serves its target
 * (gate.h, services.h). Of beginnings nobody tells, so it is looked for: at every tick of the
 * worker (250 ms) for PUBLISH_QUICK_MS after a change, else every second, or at the tick after a
 * refused connection; one dump of the sockets that listen, however many ports there are. Where it
 * is not known whether somebody serves, the port is open.
 */
#pragma once

#include <stdint.h>
#include <sys/socket.h>

#include "lib/base/loop.h"
#include "rootlesskit/gateway/acceptors.h"
#include "rootlesskit/gateway/datagram.h"
#include "rootlesskit/gateway/drains.h"
#include "rootlesskit/gateway/gateway.h"
#include "rootlesskit/gateway/sctp.h"
#include "rootlesskit/gateway/services.h"
#include "rootlesskit/gateway/worker.h"

struct err;
struct movers;
struct publish_port;

#define PUBLISH_QUICK_MS 10000
#define PUBLISH_SLOW_MS 1000

struct publish_options {
    /** Of source_ip_set_up(), which was done in this thread: connections and datagrams bear their
     *  clients' addresses; or GATEWAY_SOURCE_IP_NONE. */
    enum gateway_source_ip rules;
    bool when_listening;
};

struct publish {
    struct acceptors acceptors;
    struct worker *worker; /**< the first one's */
    struct datagrams datagrams;
    struct sctp sctp;
    struct drains drains;
    struct services services;
    struct publish_port *ports;
    bool when_listening;
    struct worker_timer watch; /**< of services, while there is a TCP port */
    int64_t changed_ms, next_look_ms;
    uint64_t refused; /**< connections, at the last tick */
};

/**
 * Prepares the thread's worker.
 * @param movers  who takes bulk connections
 */
int publish_init(struct publish *publish, struct movers *movers,
                 const struct publish_options *options, struct err *err);
/** Starts the other threads, with the capabilities that the caller has by now. */
int publish_start(struct publish *publish, struct err *err);
/** Serves until the process ends. Call it in the thread that entered the child's namespace. */
void publish_run(struct publish *publish);
/**
 * Serves a port from another thread on: @p take_listen is a listening TCP or SCTP or a bound UDP
 * socket of the host's, @p target where its clients are taken to in the child. @return 0 or -errno
 */
int publish_add(struct publish *publish, uint32_t id, int take_listen,
                const struct sockaddr_storage *target);
/**
 * Takes no more TCP clients, after those that wait by now: another socket of this user, which has
 * SO_REUSEPORT too, may have the port's address. A stand-in is closed. @return 0; -ENOENT when
 * there is no TCP port of that id
 */
int publish_yield(struct publish *publish, uint32_t id);
/** Has a port that has yielded take clients of @p take_listen meanwhile, and of no other one any
 *  more. @return 0 or -errno */
int publish_stand_in(struct publish *publish, uint32_t id, int take_listen);
/** Connects to the target of a TCP port, as for a client without an address to keep.
 *  @return a non-blocking socket, the caller's, connecting or connected; -errno */
int publish_dial(struct publish *publish, uint32_t id);
/** Ends both. @return 0, also of one that has not yielded; -errno: somebody has the address */
int publish_resume(struct publish *publish, uint32_t id);
/** Closes the port and its connections. @return 0; -ENOENT when there is none of that id */
int publish_remove(struct publish *publish, uint32_t id);
/**
 * Takes no more clients; the port's connections have @p seconds to end by themselves. UDP flows end
 * at once. @return 0; -ENOENT; -ENOBUFS when too many ports are on their way: nothing was done
 */
int publish_drain(struct publish *publish, uint32_t id, uint32_t seconds);
/** @return 0 when publish_drain() has come to its end; -EINPROGRESS before */
int publish_drained(struct publish *publish, uint32_t id);
/** Writes a struct services_record a port to @p fd, a memory file, from its position on: who serves
 *  its target now. @return 0 or -errno */
int publish_write_services(struct publish *publish, int fd);
