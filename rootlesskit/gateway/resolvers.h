/*
 * The host's DNS servers as they are now. This process has no file system: the parent reads
 * resolv.conf, when it is asked, which is at a query and not at every change. So the list is as
 * fresh as libc's own, wherever the file is: behind links, on NFS, mounted over.
 *
 * A list of none counts when it stays so: who rewrites the file in place leaves it empty for a
 * moment. Then it is 127.0.0.1, as for libc (resolv.conf(5)).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/loop.h"
#include "rootlesskit/gateway/gateway.h"
#include "rootlesskit/gateway/worker.h"

struct err;

/** A list read so short a time ago is not asked for again: under load that is once for many
 *  queries. */
#define RESOLVERS_FRESH_MS 10
/** How long queries wait for a parent that is busy, and up to a worker's tick longer; after that,
 *  for as long as it is, they do with the list that there is. */
#define RESOLVERS_WAIT_MS 50
/** An empty list counts after that time. */
#define RESOLVERS_EMPTY_MS 1000

struct resolvers;
typedef void resolvers_fn(struct resolvers *resolvers);

struct resolvers {
    struct worker *worker;
    struct loop_source source; /**< the pair to the parent */
    struct worker_timer timer;
    resolvers_fn *changed_fn; /**< there is another list than before */
    resolvers_fn *ready_fn;   /**< who waited need wait no more; after changed_fn */
    struct gateway_resolvers list;
    int64_t asked_ms; /**< when the last question was sent */
    bool asking;      /**< it has no answer yet */
    int64_t empty_ms; /**< since when the parent tells of none; 0: it does not */
    bool empty_counts;
};

/** @param fd  the pair's end, borrowed: GATEWAY_RESOLVERS_QUESTION, struct gateway_resolvers */
int resolvers_init(struct resolvers *resolvers, struct worker *worker, int fd,
                   resolvers_fn *changed_fn, resolvers_fn *ready_fn, struct err *err);
/**
 * Asks the parent, unless the list is fresh or the question is under way.
 * @return true when the list can be used; false: wait for ready_fn
 */
bool resolvers_look(struct resolvers *resolvers);
