/*
 * Outbound UDP's tables. A mapping joins one address and port of the child's with one socket of the
 * host's, by whose port every remote knows it (endpoint-independent, RFC 4787, 4.1 and 5). A pair
 * is a mapping and one remote: a socket of the gateway namespace G that bears the remote's address
 * and is connected to the child's.
 *
 * Both tables are bounded; what was used longest ago makes room for what is new, in a full table
 * and for want of fds, but not while a datagram waits on its socket. Nothing is allocated after
 * mappings_init().
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/loop.h"
#include "rootlesskit/gateway/burst.h"
#include "rootlesskit/gateway/recent.h"
#include "rootlesskit/gateway/stats.h"
#include "rootlesskit/gateway/table.h"

struct err;
struct stock;

/** An fd each, and a few KiB of the kernel's, which the child and strangers can cause. */
#define MAPPINGS_MAX 8192
#define PAIRS_MAX 16384
/** Without a datagram either way. RFC 4787, 4.3 wants two minutes at least. */
#define MAPPING_IDLE_MS 180000
#define PAIR_IDLE_MS 180000
/** A pair of a remote that has sent nothing yet; its mapping, and so the port, outlives it. */
#define PAIR_UNANSWERED_MS 30000

struct mappings;

struct mapping {
    struct table_item item;
    struct mappings *all;
    struct loop_source source; /**< the host's socket; source.fd */
    struct recent_link recent;
    struct mapping *next; /**< in its bucket */
    struct pair *pairs;
    struct in6_addr child;
    uint16_t port; /**< the child's, host byte order */
    bool whole;    /**< what is too long for the path is refused, not sent in fragments */
    int fd;
    uint32_t opened_s; /**< stats_now_s() */
};

struct pair {
    struct table_item item;
    struct loop_source source; /**< G's socket */
    struct recent_link recent;
    struct pair *next;                     /**< in its bucket */
    struct pair *sibling, **sibling_place; /**< of the same mapping; what points here */
    struct mapping *mapping;
    struct in6_addr remote;   /**< as the child sees it */
    uint16_t port;            /**< the remote's, host byte order */
    bool answered;            /**< and then it is on that list */
    uint32_t told_mtu;        /**< what the child was told last, ... */
    int64_t told_ms;          /**< ... and when */
    union burst_address host; /**< the remote as it is dialled */
    int fd;
    uint32_t opened_s;
    uint64_t bytes[STATS_WAYS];
};

struct mappings {
    struct loop *loop;
    struct stock *stock;
    struct stats *stats;         /**< of the worker */
    loop_fn *on_host, *on_child; /**< something to do on a mapping's, a pair's socket */
    struct table mappings, pairs;
    struct mapping **mapping_buckets;
    struct pair **pair_buckets;
    struct recent by_use;               /**< of mappings */
    struct recent unanswered, answered; /**< of pairs */
    uint32_t seed;                      /**< of the hashes: strangers choose the keys */
};

/** @param fds  how many it may hold; the tables are smaller where that is few */
int mappings_init(struct mappings *all, struct loop *loop, struct stock *stock, uint32_t fds,
                  struct err *err);
struct mapping *mapping_find(const struct mappings *all, const struct in6_addr *child,
                             uint16_t port);
/** @return 0; -errno when no socket can be had */
int mapping_make(struct mappings *all, const struct in6_addr *child, uint16_t port, int64_t now_ms,
                 struct mapping **ret);
/** Whether datagrams too long for the path are refused from now on, or sent in fragments. */
void mapping_keep_whole(struct mapping *mapping, bool whole);
/** Ends it with its pairs; the host's port is closed. */
void mapping_release(struct mappings *all, struct mapping *mapping);
struct pair *pair_find(const struct mappings *all, const struct mapping *mapping,
                       const struct in6_addr *remote, uint16_t port);
/** @param host  the address that @p remote stands for. @return 0 or -errno */
int pair_make(struct mappings *all, struct mapping *mapping, const struct in6_addr *remote,
              uint16_t port, const struct in6_addr *host, int64_t now_ms, struct pair **ret);
/** A datagram went its way. @param answer  from the remote */
void pair_use(struct mappings *all, struct pair *pair, bool answer, int64_t now_ms);
void pair_release(struct mappings *all, struct pair *pair);
/** Writes a record of every mapping and pair. */
void mappings_put(const struct mappings *all, struct stats_sink *sink);
/** Ends what has been idle for too long. @return false: there is nothing left */
bool mappings_expire(struct mappings *all, int64_t now_ms);
