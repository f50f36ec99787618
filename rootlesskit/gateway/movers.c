#include "rootlesskit/gateway/movers.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "lib/base/err.h"
#include "rootlesskit/gateway/confine.h"

/* Much more than the loop and relay.c need; only what is touched is there. */
#define STACK_SIZE (64 * 1024)

struct start {
    struct worker *worker;
    struct err *err;
    sem_t done;
    int result;
};

static void *live(void *arg)
{
    struct start *start = arg;
    struct worker *worker = start->worker;
    int r = start->result = confine_capabilities(start->err);
    (void)sem_post(&start->done);
    if (r >= 0)
        (void)loop_run(&worker->loop, NULL);
    return NULL;
}

static int run_detached(struct start *start)
{
    pthread_attr_t attr;
    pthread_t thread;
    int r = pthread_attr_init(&attr);
    if (r != 0)
        return r;
    (void)pthread_attr_setstacksize(&attr, STACK_SIZE);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    r = pthread_create(&thread, &attr, live, start);
    (void)pthread_attr_destroy(&attr);
    return r;
}

static int start_one(struct worker *worker, struct err *err)
{
    struct start start = {.worker = worker, .err = err};
    int r = worker_init(worker, err);
    if (r < 0)
        return r;
    (void)sem_init(&start.done, 0, 0);
    r = run_detached(&start);
    if (r == 0)
        while (sem_wait(&start.done) < 0)
            ;
    (void)sem_destroy(&start.done);
    return r != 0 ? err_sys(err, r, "cannot start a thread") : start.result;
}

unsigned movers_wanted(void)
{
    cpu_set_t set;
    int cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    if (cpus < 2)
        return 0;
    return cpus < MOVERS_MAX ? (unsigned)cpus : MOVERS_MAX;
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
