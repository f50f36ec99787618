#include "rootlesskit/gateway/listener.h"

#include <errno.h>
#include <sys/epoll.h>

/* Connections taken a turn, so that a storm of them leaves room for bytes. */
#define ACCEPT_BATCH 32
/* Who wait at a time: one more than listen(2) was asked for. Others come as fast as we take them.
 */
#define QUEUE_MAX (SOMAXCONN + 1)

static void on_ready(struct loop_source *source, uint32_t events);

/* Several threads may have the socket in their loops: one of them is to be woken. Such a source
 * cannot be changed, only taken out and put back (epoll_ctl(2)). */
static int listen_to(struct listener *listener)
{
    return loop_add(&listener->worker->loop, &listener->source, listener->fd,
                    EPOLLIN | EPOLLEXCLUSIVE, on_ready);
}

static void on_retry(struct worker_timer *timer, int64_t now_ms)
{
    struct listener *listener = loop_owner(timer, struct listener, retry);
    (void)now_ms;
    if (listen_to(listener) >= 0)
        worker_timer_stop(timer);
}

static void pause_until_tick(struct listener *listener)
{
    loop_del(&listener->worker->loop, &listener->source);
    worker_timer_start(listener->worker, &listener->retry);
}

/* @return whether there may be more */
static bool take_one(struct listener *listener)
{
    struct sockaddr_storage peer = {0};
    socklen_t len = sizeof peer;
    int fd = accept4(listener->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        listener->fn(listener, fd, &peer);
        return true;
    }
    switch (errno) {
    case EAGAIN:
    case EINVAL: /* it listens no more */
        return false;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        pause_until_tick(listener);
        return false;
    default:
        return true; /* the connection died in the queue: take the next one (accept(2)) */
    }
}

static void on_ready(struct loop_source *source, uint32_t events)
{
    struct listener *listener = loop_owner(source, struct listener, source);
    (void)events;
    for (int i = 0; i < ACCEPT_BATCH && source->fn && take_one(listener); i++)
        ;
}

int listener_start(struct listener *listener, struct worker *worker, int fd, listener_fn *fn)
{
    *listener = (struct listener){.worker = worker, .fd = fd, .fn = fn, .retry.fn = on_retry};
    return listen_to(listener);
}

void listener_take(struct listener *listener)
{
    on_ready(&listener->source, EPOLLIN);
}

void listener_take_all(struct listener *listener)
{
    for (int i = 0; i < QUEUE_MAX && take_one(listener); i++)
        ;
}

void listener_stop(struct listener *listener)
{
    worker_timer_stop(&listener->retry);
    loop_del(&listener->worker->loop, &listener->source);
}
