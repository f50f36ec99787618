#include "rootlesskit/gateway/listener.h"

#include <errno.h>
#include <sys/epoll.h>

/* Connections taken a turn, so that a storm of them leaves room for bytes. */
#define ACCEPT_BATCH 32

static void set_paused(struct listener *listener, bool paused)
{
    listener->paused = paused;
    (void)loop_mod(&listener->worker->loop, &listener->source, paused ? 0 : (uint32_t)EPOLLIN);
}

static void on_retry(struct worker_timer *timer, int64_t now_ms)
{
    (void)now_ms;
    worker_timer_stop(timer);
    set_paused(loop_owner(timer, struct listener, retry), false);
}

static void on_ready(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct listener *listener = loop_owner(source, struct listener, source);
    for (int i = 0; i < ACCEPT_BATCH && source->fn; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t len = sizeof peer;
        int fd = accept4(source->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            listener->fn(listener, fd, &peer);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            set_paused(listener, true);
            worker_timer_start(listener->worker, &listener->retry);
        }
        if (errno == EAGAIN || listener->paused)
            return; /* else the connection died in the queue: take the next one (accept(2)) */
    }
}

int listener_start(struct listener *listener, struct worker *worker, int fd, listener_fn *fn)
{
    *listener = (struct listener){.worker = worker, .fn = fn, .retry.fn = on_retry};
    return loop_add(&worker->loop, &listener->source, fd, EPOLLIN, on_ready);
}

void listener_take(struct listener *listener)
{
    if (!listener->paused)
        on_ready(&listener->source, EPOLLIN);
}

void listener_stop(struct listener *listener)
{
    worker_timer_stop(&listener->retry);
    loop_del(&listener->worker->loop, &listener->source);
}

/* Its timer may still be on the worker's list: it is no new one. */
int listener_resume(struct listener *listener, int fd)
{
    listener->paused = false;
    return loop_add(&listener->worker->loop, &listener->source, fd, EPOLLIN, on_ready);
}
