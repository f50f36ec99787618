/*
 * The parent's side of the data plane process (gateway/gateway.h): start it, send it ports, answer
 * what it asks, stop it. It serves the gateway network, the builtin port driver, or both.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

struct child;
struct err;
struct gateway_resolvers;
struct rk_config;

struct dataplane {
    pid_t pid; /**< 0 = not running */
    int pidfd;
    int control_fd;
    uint32_t serial;  /**< of the last request */
    int resolvers_fd; /**< with the network: readable when it asks for the host's resolvers */
    bool ipv6;        /**< the gateway network has it */
    const char
        *source_ip; /**< rules by which services see clients' addresses: none, nft, iptables */
};

#define DATAPLANE_UNSET                                                                     \
    {                                                                                       \
        .pidfd = -EBADF, .control_fd = -EBADF, .resolvers_fd = -EBADF, .source_ip = "none", \
    }

/** Forks it for the namespaces of @p child; dataplane_wait() is due before anything else. */
int dataplane_start(struct dataplane *plane, const struct rk_config *config,
                    const struct child *child, struct err *err);
/** Waits until it serves; a warning of its is printed. @return 0, or -errno with its own message
 * why it cannot */
int dataplane_wait(struct dataplane *plane, struct err *err);
/** Hands over a listening TCP or a bound UDP socket (borrowed; close it afterwards) whose clients
 * are served by @p target. */
int dataplane_add_port(struct dataplane *plane, uint32_t id, int host_fd,
                       const struct sockaddr_storage *target, struct err *err);
/** Its socket stays bound and gives way to one of ours with SO_REUSEPORT; no other one of its
 *  stands in. */
int dataplane_yield_port(struct dataplane *plane, uint32_t id, struct err *err);
/** Ends that, also where it never began. @return -errno: it is still so */
int dataplane_resume_port(struct dataplane *plane, uint32_t id, struct err *err);
/** Meanwhile the port has the clients of @p host_fd (borrowed), a listening socket. */
int dataplane_add_stand_in(struct dataplane *plane, uint32_t id, int host_fd, struct err *err);
/** And those of @p child_fd (borrowed), which listens in the child, are taken to @p to on the host.
 *  @param seat  names it, among the port's; not 0 */
int dataplane_turn_inward(struct dataplane *plane, uint32_t id, uint32_t seat, int child_fd,
                          const struct sockaddr_storage *to, struct err *err);
/** Not any more; their connections go on. */
int dataplane_end_inward(struct dataplane *plane, uint32_t id, uint32_t seat, struct err *err);
/** Connects to the port's target in the child, as for a client. @return a non-blocking socket, the
 *  caller's, connecting or connected; -errno */
int dataplane_dial_port(struct dataplane *plane, uint32_t id, struct err *err);
/** Returns when the socket and its connections are closed. */
int dataplane_remove_port(struct dataplane *plane, uint32_t id, struct err *err);
/** Returns when the socket is closed; its connections have @p seconds to end by themselves. */
int dataplane_drain_port(struct dataplane *plane, uint32_t id, uint32_t seconds, struct err *err);
/** @return 0 when they have; -EINPROGRESS before */
int dataplane_port_drained(struct dataplane *plane, uint32_t id, struct err *err);
/** Takes the question that resolvers_fd has; dataplane_answer() is due. @return 0 or -errno: there
 *  will be no other one */
int dataplane_take_question(const struct dataplane *plane);
/** @return 0 or -errno */
int dataplane_answer(const struct dataplane *plane, const struct gateway_resolvers *resolvers);
/** Has it write its flows to @p fd (borrowed), a memory file: a struct stats_record each
 *  (gateway/stats.h). @return 0; -ENOTSUP when there is no data plane; -errno */
int dataplane_write_flows(struct dataplane *plane, int fd, struct err *err);
/** The same with its counters, one struct stats_totals.
 *  @param ret_resident  its memory, bytes; 0 = not known */
int dataplane_write_totals(struct dataplane *plane, int fd, uint64_t *ret_resident,
                           struct err *err);
/** The same with a struct services_record (gateway/services.h) a published port. */
int dataplane_write_services(struct dataplane *plane, int fd, struct err *err);
void dataplane_stop(struct dataplane *plane);
