/*
 * What the data plane tells of itself: counters, and a record of every flow.
 *
 * Both belong to a worker and are changed and read in its thread alone, so counting is a plain
 * addition and nothing races. Whoever wants them asks the workers one by one and writes to a memory
 * file (memfd_create(2)) of the reader's: no message is big, and nobody waits for a slow reader.
 *
 * How a module joins
 *   flows     embed a struct stats_source, set its put function, call stats_join() when the module
 *             is set up; put() then calls stats_put() once a flow. It runs between two events of
 *             the worker's loop; it must not wait.
 *   counters  count in worker->stats.counters, of the worker whose thread it is.
 * The connections of relay.h need not join. A new worker is one more in the list that gateway.c
 * hands to the two functions at the end.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct worker;

/** Of ICMP, echo alone. */
enum stats_proto { STATS_TCP, STATS_UDP, STATS_ICMP, STATS_SCTP, STATS_PROTOS };
/** Who began it: the child, or a client of a published port. */
enum stats_direction { STATS_OUTBOUND, STATS_PUBLISHED, STATS_DIRECTIONS };
/** As the child sees it. */
enum stats_way { STATS_SENT, STATS_RECEIVED, STATS_WAYS };
/** Why a connection failed, or a datagram was dropped. */
enum stats_reason {
    STATS_REFUSED,     /**< by the other side: a reset, an ICMP port unreachable */
    STATS_UNREACHABLE, /**< no way to it */
    STATS_TIMEOUT,     /**< no answer */
    STATS_PROHIBITED,  /**< by the policy, or by the host */
    STATS_SHORTAGE,    /**< no room here: a full table or buffer, no fd, no memory */
    STATS_OTHER,
    STATS_REASONS,
};
enum stats_state {
    STATS_HELD,       /**< a SYN that waits for its connection */
    STATS_CONNECTING, /**< a client of a published port, its connection in the child under way */
    STATS_OPEN,
    STATS_ENDING, /**< one side has ended its half */
    STATS_MAPPED, /**< UDP: a port of the host's that stands for one of the child's; no remote */
    STATS_STATES,
};

/** uint64_t and nothing else: stats_add() goes by that. */
struct stats_counters {
    uint64_t opened[STATS_PROTOS][STATS_DIRECTIONS]; /**< connections, flows of UDP and echo */
    uint64_t closed[STATS_PROTOS][STATS_DIRECTIONS]; /**< of those opened */
    uint64_t failed[STATS_DIRECTIONS][STATS_REASONS];
    uint64_t bytes[STATS_PROTOS][STATS_DIRECTIONS][STATS_WAYS]; /**< of payload, passed on */
    uint64_t dropped[STATS_DIRECTIONS][STATS_REASONS];          /**< datagrams, echo requests */
    uint64_t held;                                              /**< SYNs, now */
    uint64_t mappings;                                          /**< of outbound UDP, now */
    uint64_t dns_queries, dns_retries, dns_failures; /**< a retry asks the next resolver */
};

/** One flow; addresses IPv4 mapped, all zero: not known, or there is none. */
struct stats_record {
    uint8_t proto, direction, state;
    uint8_t unused;
    uint16_t child_port, remote_port, dialled_port; /**< host byte order; of ICMP the child's id */
    uint16_t unused_too;
    uint32_t port_id; /**< of a published port, else 0 */
    struct in6_addr child, remote;
    struct in6_addr dialled; /**< what the host really talks to, where that is not remote */
    uint64_t bytes[STATS_WAYS];
    uint32_t age_s, idle_s;
};

/** The answer about the whole data plane. */
struct stats_totals {
    struct stats_counters counters;
    uint32_t fds, fds_max;        /**< in use; 0 = not known. RLIMIT_NOFILE */
    uint32_t flows_max, held_max; /**< sizes of the tables: connections of one worker; SYNs */
};

struct stats_sink;

/** Only memory files have seals: writing to one never waits. */
bool stats_is_memory(int fd);

struct stats_source {
    struct stats_source *next;
    void (*put)(struct stats_source *source, struct stats_sink *sink);
};

/** Part of every worker. */
struct stats {
    struct stats_counters counters;
    struct stats_source *sources;
};

/** Seconds of a clock that never jumps, cheap enough for every event. */
uint32_t stats_now_s(void);
/** Counts a connection that came to nothing, by errno. */
void stats_failed(struct stats *stats, enum stats_direction direction, int code);
/** @return how many of those were refused; from any thread */
uint64_t stats_refused(const struct stats *stats, enum stats_direction direction);
/** Counts @p n datagrams that were lost, by errno. */
void stats_dropped(struct stats *stats, enum stats_direction direction, int code, uint64_t n);
/** Has @p source asked with the others; it stays the caller's. Before the worker's loop runs. */
void stats_join(struct stats *stats, struct stats_source *source);
/** Writes one record (copied). What cannot be written is lost, and whoever asked is told. */
void stats_put(struct stats_sink *sink, const struct stats_record *record);
/** Fills in an address and port of a socket. @param peer  its peer's, else its own */
void stats_address_of(int fd, int peer, struct in6_addr *ret, uint16_t *ret_port);

/**
 * Writes a struct stats_record a flow to @p fd, a memory file, from its position on.
 * @param workers  workers[0] is the calling thread's
 * @return 0 or -errno: -EINVAL for another kind of file
 */
int stats_write_flows(struct worker *const *workers, size_t n, int fd);
/** Writes one struct stats_totals, its counters summed over the workers.
 *  @param totals  the rest of it, from the caller */
int stats_write_totals(struct worker *const *workers, size_t n, struct stats_totals *totals,
                       int fd);
