#include "rootlesskit/gateway/thread.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

/* Much more than a loop and what it calls need; only what is touched is there. */
#define STACK_SIZE (64 * 1024)

struct start {
    int (*prepare)(void *arg);
    void (*run)(void *arg);
    void *arg;
    sem_t done;
    int result;
};

unsigned thread_cpus(void)
{
    cpu_set_t set;
    int cpus = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return cpus > 1 ? (unsigned)cpus : 1;
}

/* From the post on, what the starter has on its stack is not ours any more. */
static void *live(void *arg)
{
    struct start *start = arg;
    const struct start own = {.run = start->run, .arg = start->arg};
    int r = start->result = start->prepare ? start->prepare(start->arg) : 0;
    (void)sem_post(&start->done);
    if (r >= 0)
        own.run(own.arg);
    return NULL;
}

static int create(struct start *start)
{
    pthread_attr_t attr;
    pthread_t thread;
    int r = pthread_attr_init(&attr);
    if (r != 0)
        return -r;
    (void)pthread_attr_setstacksize(&attr, STACK_SIZE);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    r = pthread_create(&thread, &attr, live, start);
    (void)pthread_attr_destroy(&attr);
    return -r;
}

int thread_start(int (*prepare)(void *arg), void (*run)(void *arg), void *arg)
{
    struct start start = {.prepare = prepare, .run = run, .arg = arg};
    (void)sem_init(&start.done, 0, 0);
    int r = create(&start);
    if (r == 0)
        while (sem_wait(&start.done) < 0)
            ;
    (void)sem_destroy(&start.done);
    return r < 0 ? r : start.result;
}
