/* The ways with epoll: copying, and splicing through a pipe; each for all that comes. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/loop.h"
#include "tests/bench/load/relay.h"

/* As the gateway has them. */
#define PIPE_SIZE (1 << 20)
#define TURN (1 << 20)
#define SPARE_PIPES 8
#define COPY_MAX (1 << 20)
/* A splice of less has emptied the source: it is not asked again before it says so. */
#define SPLICE_MORE (32 << 10)

struct pipe {
    int in, out; /* in = -1: none held */
};

/* From one socket to the other. */
struct way {
    struct pipe pipe;
    unsigned char *rest;    /* copied, and not taken by the destination yet */
    size_t waiting, passed; /* bytes in rest or pipe; how many of rest are gone */
    bool ended, closed, blocked;
};

enum step { STEP_MOVED, STEP_EMPTY, STEP_BLOCKED, STEP_ERROR };

struct relayer;
typedef enum step step_fn(struct relayer *relayer, struct way *way, int from, int to,
                          size_t *moved);

struct end {
    struct loop_source source;
    uint32_t events;
    int fd;
};

struct joint {
    struct relayer *relayer;
    struct end end[2];
    struct way way[2]; /* way[i] leads from end[i] */
    struct loop_grave grave;
};

struct relayer {
    struct loop loop;
    struct loop_source source;
    const struct sockaddr_in *to;
    step_fn *step;
    size_t copy_size;
    unsigned char *buffer;
    struct pipe spare[SPARE_PIPES];
    unsigned n_spare;
};

static bool would_block(void)
{
    return errno == EAGAIN || errno == EINTR;
}

static enum step send_rest(struct way *way, int to, size_t *moved)
{
    ssize_t n = send(to, way->rest + way->passed, way->waiting, MSG_NOSIGNAL);
    if (n < 0)
        return would_block() ? STEP_BLOCKED : STEP_ERROR;
    way->passed += (size_t)n;
    way->waiting -= (size_t)n;
    *moved += (size_t)n;
    if (way->waiting > 0)
        return STEP_BLOCKED;
    free(way->rest);
    way->rest = NULL;
    return STEP_MOVED;
}

static enum step keep_rest(struct way *way, const unsigned char *bytes, size_t len)
{
    way->rest = malloc(len);
    if (!way->rest)
        return STEP_ERROR;
    memcpy(way->rest, bytes, len);
    way->waiting = len;
    way->passed = 0;
    return STEP_BLOCKED;
}

static enum step copy_step(struct relayer *relayer, struct way *way, int from, int to,
                           size_t *moved)
{
    if (way->waiting > 0)
        return send_rest(way, to, moved);
    ssize_t n = recv(from, relayer->buffer, relayer->copy_size, 0);
    if (n < 0)
        return would_block() ? STEP_EMPTY : STEP_ERROR;
    way->ended = n == 0;
    if (n == 0)
        return STEP_EMPTY;
    ssize_t sent = send(to, relayer->buffer, (size_t)n, MSG_NOSIGNAL);
    if (sent < 0 && !would_block())
        return STEP_ERROR;
    sent = sent < 0 ? 0 : sent;
    *moved += (size_t)sent;
    if (sent < n)
        return keep_rest(way, relayer->buffer + sent, (size_t)(n - sent));
    return (size_t)n == relayer->copy_size ? STEP_MOVED : STEP_EMPTY;
}

static bool take_pipe(struct relayer *relayer, struct pipe *ret)
{
    int fd[2];

    if (relayer->n_spare > 0) {
        *ret = relayer->spare[--relayer->n_spare];
        return true;
    }
    if (pipe2(fd, O_CLOEXEC | O_NONBLOCK) < 0)
        return false;
    *ret = (struct pipe){.in = fd[0], .out = fd[1]};
    return fcntl(fd[1], F_SETPIPE_SZ, PIPE_SIZE) >= 0;
}

static void give_pipe(struct relayer *relayer, struct way *way)
{
    if (way->pipe.in < 0)
        return;
    if (way->waiting == 0 && relayer->n_spare < SPARE_PIPES) {
        relayer->spare[relayer->n_spare++] = way->pipe;
    } else {
        fd_close(way->pipe.in);
        fd_close(way->pipe.out);
    }
    way->pipe.in = -1;
}

static enum step splice_step(struct relayer *relayer, struct way *way, int from, int to,
                             size_t *moved)
{
    const unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
    bool more = true;

    if (way->pipe.in < 0 && !take_pipe(relayer, &way->pipe))
        return STEP_ERROR;
    if (way->waiting == 0) {
        ssize_t n = splice(from, NULL, way->pipe.out, NULL, PIPE_SIZE, flags);
        if (n < 0)
            return would_block() ? STEP_EMPTY : STEP_ERROR;
        way->ended = n == 0;
        way->waiting = (size_t)n;
        more = n >= SPLICE_MORE;
    }
    while (way->waiting > 0) {
        ssize_t n = splice(way->pipe.in, NULL, to, NULL, way->waiting, flags);
        if (n < 0)
            return would_block() ? STEP_BLOCKED : STEP_ERROR;
        way->waiting -= (size_t)n;
        *moved += (size_t)n;
    }
    return more ? STEP_MOVED : STEP_EMPTY;
}

static bool pump(struct joint *joint, int i)
{
    struct way *way = &joint->way[i];
    int from = joint->end[i].fd, to = joint->end[1 - i].fd;
    enum step step = STEP_MOVED;
    size_t moved = 0;

    while (step == STEP_MOVED && moved < TURN && (!way->ended || way->waiting > 0))
        step = joint->relayer->step(joint->relayer, way, from, to, &moved);
    way->blocked = step == STEP_BLOCKED;
    if (step != STEP_MOVED && way->waiting == 0)
        give_pipe(joint->relayer, way);
    if (way->ended && way->waiting == 0 && !way->closed) {
        way->closed = true;
        (void)shutdown(to, SHUT_WR);
    }
    return step != STEP_ERROR;
}

static uint32_t wanted(const struct joint *joint, int i)
{
    const struct way *from = &joint->way[i], *to = &joint->way[1 - i];

    return (from->ended || from->blocked ? 0 : (uint32_t)EPOLLIN) |
           (to->blocked ? (uint32_t)EPOLLOUT : 0);
}

static void free_joint(struct loop_grave *grave)
{
    free(loop_owner(grave, struct joint, grave));
}

static void drop(struct joint *joint)
{
    for (int i = 0; i < 2; i++) {
        give_pipe(joint->relayer, &joint->way[i]);
        free(joint->way[i].rest);
        loop_leave(&joint->end[i].source);
        fd_close(joint->end[i].fd);
    }
    joint->grave.free_fn = free_joint;
    loop_bury(&joint->relayer->loop, &joint->grave);
}

static void on_end(struct joint *joint, int i, uint32_t events)
{
    bool ok = !(events & EPOLLERR);

    ok = ok && (!(events & (EPOLLIN | EPOLLHUP)) || pump(joint, i));
    ok = ok && (!(events & EPOLLOUT) || pump(joint, 1 - i));
    if (!ok || (joint->way[0].closed && joint->way[1].closed)) {
        drop(joint);
        return;
    }
    for (int e = 0; e < 2; e++) {
        struct end *end = &joint->end[e];
        uint32_t events_now = wanted(joint, e);

        if (events_now != end->events &&
            loop_mod(&joint->relayer->loop, &end->source, events_now) == 0)
            end->events = events_now;
    }
}

static void on_end_0(struct loop_source *source, uint32_t events)
{
    on_end(loop_owner(source, struct joint, end[0].source), 0, events);
}

static void on_end_1(struct loop_source *source, uint32_t events)
{
    on_end(loop_owner(source, struct joint, end[1].source), 1, events);
}

static void join(struct loop_source *source, uint32_t events)
{
    struct relayer *relayer = loop_owner(source, struct relayer, source);
    int fd[2];

    (void)events;
    if (!relay_accept(source->fd, relayer->to, fd))
        return;
    struct joint *joint = calloc(1, sizeof(*joint));
    if (!joint)
        abort();
    joint->relayer = relayer;
    for (int i = 0; i < 2; i++) {
        joint->end[i] = (struct end){.fd = fd[i], .events = EPOLLIN};
        joint->way[i].pipe.in = -1;
        if (loop_add(&relayer->loop, &joint->end[i].source, fd[i], EPOLLIN,
                     i == 0 ? on_end_0 : on_end_1) < 0)
            abort();
    }
}

static int run(int listener, const struct sockaddr_in *to, step_fn *step, size_t copy_size,
               struct err *err)
{
    static unsigned char buffer[COPY_MAX];
    static struct relayer relayer;

    int r = loop_init(&relayer.loop, err);
    if (r < 0 || (r = relay_listen(listener, err)) < 0)
        return r;
    relayer.to = to;
    relayer.step = step;
    relayer.copy_size = copy_size;
    relayer.buffer = buffer;
    r = loop_add(&relayer.loop, &relayer.source, listener, EPOLLIN, join);
    return r < 0 ? err_sys(err, -r, "epoll") : loop_run(&relayer.loop, err);
}

int relay_copy_64k(int listener, const struct sockaddr_in *to, struct err *err)
{
    return run(listener, to, copy_step, 64 << 10, err);
}

int relay_copy_1m(int listener, const struct sockaddr_in *to, struct err *err)
{
    return run(listener, to, copy_step, COPY_MAX, err);
}

int relay_splice(int listener, const struct sockaddr_in *to, struct err *err)
{
    return run(listener, to, splice_step, 0, err);
}
