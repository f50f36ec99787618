#include "rootlesskit/gateway/movers.h"

#include <limits.h>
#include <stdatomic.h>

#include "lib/base/err.h"
#include "rootlesskit/gateway/confine.h"
#include "rootlesskit/gateway/thread.h"

static int prepare(void *arg)
{
    (void)arg;
    return confine_capabilities(NULL);
}

static void live(void *arg)
{
    struct worker *worker = arg;
    (void)loop_run(&worker->loop, NULL);
}

static int start_one(struct worker *worker, struct err *err)
{
    int r = worker_init(worker, err);
    if (r < 0)
        return r;
    r = thread_start(prepare, live, worker);
    return r < 0 ? err_sys(err, -r, "cannot start a thread") : 0;
}

unsigned movers_wanted(void)
{
    unsigned cpus = thread_cpus();
    if (cpus < 2)
        return 0;
    return cpus < MOVERS_MAX ? cpus : MOVERS_MAX;
}

int movers_start(struct movers *movers, unsigned n, struct err *err)
{
    movers->n = 0;
    while (movers->n < n) {
        int r = start_one(&movers->worker[movers->n], err);
        if (r < 0)
            return r;
        movers->n++;
    }
    return 0;
}

struct worker *movers_pick(struct movers *movers)
{
    struct worker *best = NULL;
    unsigned least = UINT_MAX;
    for (unsigned i = 0; i < movers->n; i++) {
        unsigned n = atomic_load_explicit(&movers->worker[i].n_relays, memory_order_relaxed);
        if (n >= least)
            continue;
        least = n;
        best = &movers->worker[i];
    }
    return best;
}
