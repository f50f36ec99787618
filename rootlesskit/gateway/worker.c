#include "rootlesskit/gateway/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/msg.h"
#include "rootlesskit/gateway/relay.h"

static void set_clock(struct worker *worker, bool on)
{
    long ns = on ? WORKER_TICK_MS * 1000000L : 0;
    struct itimerspec spec = {.it_interval.tv_nsec = ns, .it_value.tv_nsec = ns};
    (void)timerfd_settime(worker->clock.fd, 0, &spec, NULL);
    worker->ticking = on;
}

/* A timer that stops itself is unlinked here, so that the list stays valid under its own callback.
 */
static void on_tick(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct worker *worker = loop_owner(source, struct worker, clock);
    uint64_t expirations;
    int64_t now = clock_ms();
    (void)!read(source->fd, &expirations, sizeof expirations);
    struct worker_timer **place = &worker->timers;
    while (*place) {
        struct worker_timer *timer = *place;
        if (timer->active)
            timer->fn(timer, now);
        if (timer->active)
            place = &timer->next;
        else
            *place = timer->next;
    }
    if (!worker->timers)
        set_clock(worker, false);
}

void worker_timer_start(struct worker *worker, struct worker_timer *timer)
{
    for (struct worker_timer *t = worker->timers; t; t = t->next) {
        if (t == timer) {
            timer->active = true;
            return;
        }
    }
    timer->active = true;
    timer->next = worker->timers;
    worker->timers = timer;
    if (!worker->ticking)
        set_clock(worker, true);
}

void worker_timer_stop(struct worker_timer *timer)
{
    timer->active = false;
}

void worker_timer_forget(struct worker *worker, struct worker_timer *timer)
{
    for (struct worker_timer **place = &worker->timers; *place; place = &(*place)->next) {
        if (*place == timer) {
            *place = timer->next;
            return;
        }
    }
}

/* What another thread wants. When it waits, its memory is good until then. */
struct letter {
    worker_fn *fn;
    void *arg;
    sem_t *done; /* NULL: nobody waits, and the argument is here */
    _Alignas(max_align_t) unsigned char message[WORKER_POST_MAX];
};

static void on_letter(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct worker *worker = loop_owner(source, struct worker, inbox);
    struct letter letter;
    if (msg_recv(source->fd, &letter, sizeof letter, NULL, NULL) <= 0)
        return;
    letter.fn(worker, letter.done ? letter.arg : letter.message);
    if (letter.done)
        (void)sem_post(letter.done);
}

int worker_ask(struct worker *worker, worker_fn *fn, void *arg)
{
    sem_t done;
    struct letter letter = {.fn = fn, .arg = arg, .done = &done};
    (void)sem_init(&done, 0, 0);
    int r = msg_send(worker->inbox_fd, &letter, sizeof letter, NULL, 0);
    while (r == 0 && sem_wait(&done) < 0)
        ;
    (void)sem_destroy(&done);
    return r;
}

int worker_post(struct worker *worker, worker_fn *fn, const void *message, size_t len)
{
    struct letter letter = {.fn = fn};
    if (len > sizeof letter.message)
        return -E2BIG;
    memcpy(letter.message, message, len);
    ssize_t n = send(worker->inbox_fd, &letter, sizeof letter, MSG_DONTWAIT | MSG_NOSIGNAL);
    return n < 0 ? -EAGAIN : 0;
}

static int open_inbox(struct worker *worker, struct err *err)
{
    int pair[2];
    int r = msg_pair(pair, err);
    if (r < 0)
        return r;
    worker->inbox_fd = pair[0];
    r = loop_add(&worker->loop, &worker->inbox, pair[1], EPOLLIN, on_letter);
    return r < 0 ? err_sys(err, -r, "cannot watch a socket pair") : 0;
}

int worker_init(struct worker *worker, struct err *err)
{
    *worker = (struct worker){.clock.fd = -1};
    int r = loop_init(&worker->loop, err);
    if (r < 0)
        return r;
    worker->buffer = table_reserve(WORKER_BUFFER);
    if (!worker->buffer)
        return err_set(err, ENOMEM, "no memory for the data plane");
    r = table_init(&worker->relays, sizeof(struct relay), WORKER_RELAYS, err);
    if (r >= 0)
        r = open_inbox(worker, err);
    if (r < 0)
        return r;
    int clock = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (clock < 0)
        return err_sys(err, errno, "cannot make a timer");
    r = loop_add(&worker->loop, &worker->clock, clock, EPOLLIN, on_tick);
    return r < 0 ? err_sys(err, -r, "cannot watch a timer") : 0;
}

int worker_pipe_take(struct worker *worker, struct worker_pipe *ret)
{
    if (worker->n_pipes > 0) {
        *ret = worker->pipes[--worker->n_pipes];
        return 0;
    }
    int fds[2];
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    /* Past pipe-user-pages-soft the kernel refuses, and new pipes have two pages only (pipe(7)):
     * too small for what a reader may have to keep. */
    if (fcntl(fds[1], F_SETPIPE_SZ, WORKER_PIPE_SIZE) < 0 &&
        fcntl(fds[1], F_GETPIPE_SZ) < WORKER_BUFFER) {
        fd_close(fds[0]);
        fd_close(fds[1]);
        return -ENOBUFS;
    }
    *ret = (struct worker_pipe){.in = fds[0], .out = fds[1]};
    return 0;
}

bool worker_pipe_ready(struct worker *worker)
{
    if (worker->n_pipes == 0 && worker_pipe_take(worker, &worker->pipes[0]) == 0)
        worker->n_pipes = 1;
    return worker->n_pipes > 0;
}

void worker_pipe_give(struct worker *worker, struct worker_pipe pipe)
{
    if (worker->n_pipes < WORKER_PIPES) {
        worker->pipes[worker->n_pipes++] = pipe;
        return;
    }
    fd_close(pipe.in);
    fd_close(pipe.out);
}
