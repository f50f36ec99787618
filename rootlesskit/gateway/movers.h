/*
 * Threads that carry bulk connections, one a CPU. A connection lives in the worker that joined it:
 * a short one never changes threads. When one of its ways turns bulk, relay.c hands it to the mover
 * with the fewest, and the worker has its time for connections that want an answer.
 *
 * A mover makes no socket and holds no capability. An idle one is a blocked thread.
 */
#pragma once

#include <stdint.h>

#include "rootlesskit/gateway/worker.h"

struct err;

#define MOVERS_MAX 4

struct movers {
    unsigned n; /**< running */
    struct worker worker[MOVERS_MAX];
};

/** @return how many are of use: as many as this process has CPUs, up to MOVERS_MAX; 0 for one */
unsigned movers_wanted(void);
/** Starts @p n of them, before the process confines itself; they end with it. @return 0 or -errno
 */
int movers_start(struct movers *movers, unsigned n, struct err *err);
/** @return the one with the fewest connections; NULL when there is none */
struct worker *movers_pick(struct movers *movers);
