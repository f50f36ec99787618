/*
 * Theory of operation. A connection is in one of three places:
 *
 *   silent    accepted, in a slot of the queue, watched: has sent nothing
 *   ready     in its slot, no longer watched: its request is there (a message arrives whole)
 *   worker    its slot is free again, a process of its own serves it
 *
 * from silent or ready it may also be refused, with a line that says why. Callbacks of the loop
 * only mark what happened; accepting, starting and refusing come after each batch of events, so
 * that no event of the batch meets a slot that was given to somebody else meanwhile.
 *
 * Closing a connection also closes the fds in messages nobody has read, and those a hostile peer
 * can choose so that close(2) waits for hours (SO_LINGER). The kernel does not wait for a process
 * that is ending. So the last reference to a connection is never given up by the broker but by a
 * child that ends: the worker, or for those refused the undertaker, which does nothing else.
 */
#include "uidmapd/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/loop.h"
#include "lib/base/msg.h"
#include "uidmapd/peer.h"
#include "uidmapd/protocol.h"
#include "uidmapd/queue.h"
#include "uidmapd/socket.h"
#include "uidmapd/worker.h"

/* Fds beside those of connections: standard ones, socket, lock, epoll, signals, a pipe, and some
 * to read /proc with. */
#define OTHER_FDS 32
#define ACCEPT_BATCH 64
#define REFUSED_MAX 256
/* Room for workers that were written off, too. */
#define WORKERS_MAX (4 * QUEUE_RUNNING_MAX)
#define OVERDUE_MS ((WORKER_SECONDS + 5) * 1000)
#define TICK_MS 1000

struct connection {
    struct loop_source source;
    int fd;
    struct peer peer;
};

struct worker {
    pid_t pid; /* 0: free */
    int user;
    bool counted;
    int64_t started_ms;
};

static struct {
    struct loop loop;
    struct loop_source listening, signals;
    struct queue queue;
    struct connection connections[QUEUE_SLOTS_MAX];
    struct worker workers[WORKERS_MAX];
    int refused[REFUSED_MAX]; /* answered, for the undertaker */
    size_t n_refused;
    bool callers, children, stopping;
    int64_t busy_ms; /* when there was work last */
    int64_t swept_ms;
} broker;

/*
 * Forks a child that goes on only when @p fds are closed here.
 * @return pid, 0 in the child, -errno when there is no child (the fds are still open then)
 */
static pid_t fork_and_close(const int *fds, size_t n)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0) {
        char nothing;
        (void)close(ends[1]);
        (void)!read(ends[0], &nothing, 1);
        return 0;
    }
    int r = pid < 0 ? -errno : pid;
    for (size_t i = 0; pid > 0 && i < n; i++)
        (void)close(fds[i]);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return r;
}

static void bury_refused(void)
{
    if (broker.n_refused == 0)
        return;
    pid_t pid = fork_and_close(broker.refused, broker.n_refused);
    if (pid == 0)
        _exit(0);
    if (pid > 0)
        broker.n_refused = 0; /* else tried again with the next tick */
}

static void refuse(int fd, const struct err *err)
{
    static struct uidmapd_answer message;
    uidmapd_answer_make(err, &message);
    (void)msg_send(fd, &message, sizeof message, NULL, 0);
    broker.refused[broker.n_refused++] = fd;
}

static void refuse_slot(int slot, int code, const char *why)
{
    struct connection *c = &broker.connections[slot];
    struct err err = {0};
    (void)err_set(&err, code, "%s", why);
    loop_del(&broker.loop, &c->source);
    refuse(c->fd, &err);
}

static const char busy_text[] = "uidmapd is too busy with requests, try again later";
static const char slow_text[] = "uidmapd waited for the request in vain";

static void on_connection(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct connection *c = loop_owner(source, struct connection, source);
    loop_del(&broker.loop, source);
    queue_ready(&broker.queue, (int)(c - broker.connections), clock_ms());
}

static int admit(int fd, const struct peer *peer, struct err *err)
{
    int victim = -1;
    int slot = queue_admit(&broker.queue, peer->uid, clock_ms(), &victim);
    if (victim >= 0)
        refuse_slot(victim, EBUSY, busy_text);
    if (slot == QUEUE_TOO_FAST)
        return err_set(err, EBUSY,
                       "uid %u asks uidmapd too often (more than %d times at once, then more than "
                       "%d a second): try again later",
                       peer->uid, QUEUE_BURST, QUEUE_REFILL_PER_S);
    if (slot == QUEUE_TOO_MANY)
        return err_set(err, EBUSY,
                       "uid %u has %d requests waiting for uidmapd already: try again later",
                       peer->uid, QUEUE_USER_SLOTS_MAX);
    if (slot < 0)
        return err_set(err, EBUSY, "%s", busy_text);
    struct connection *c = &broker.connections[slot];
    *c = (struct connection){.source.fd = -1, .fd = fd, .peer = *peer};
    int r = loop_add(&broker.loop, &c->source, fd, EPOLLIN, on_connection);
    if (r < 0) {
        queue_leave(&broker.queue, slot);
        return err_sys(err, -r, "uidmapd cannot watch the connection");
    }
    return 0;
}

static void accept_callers(int listening)
{
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        if (broker.n_refused + 2 > REFUSED_MAX) /* a caller can cost a victim */
            bury_refused();
        int fd = -1;
        if (broker.n_refused + 2 <= REFUSED_MAX)
            fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        else
            errno = ENOMEM;
        if (fd < 0) {
            /* No memory, or no fds in the whole system: not again before the next tick. */
            if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
                loop_del(&broker.loop, &broker.listening);
            return;
        }
        struct peer peer;
        struct err err = {0};
        if (peer_identify(fd, &peer, &err) < 0 || admit(fd, &peer, &err) < 0)
            refuse(fd, &err);
    }
}

static struct worker *free_worker(void)
{
    for (size_t i = 0; i < WORKERS_MAX; i++)
        if (broker.workers[i].pid == 0)
            return &broker.workers[i];
    return NULL;
}

static void become_worker(const struct connection *c)
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    worker_run(c->fd, &c->peer);
}

/* @return whether one was started */
static bool start_next(void)
{
    int slot = queue_next(&broker.queue);
    struct worker *worker = slot < 0 ? NULL : free_worker();
    if (!worker)
        return false;
    const struct connection *c = &broker.connections[slot];
    pid_t pid = fork_and_close(&c->fd, 1);
    if (pid == 0)
        become_worker(c);
    if (pid < 0)
        return false; /* it keeps its place */
    *worker = (struct worker){.pid = pid,
                              .user = queue_start(&broker.queue, slot),
                              .counted = true,
                              .started_ms = clock_ms()};
    return true;
}

static void reap(void)
{
    pid_t pid;
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
        for (size_t i = 0; i < WORKERS_MAX; i++)
            if (broker.workers[i].pid == pid) {
                queue_ended(&broker.queue, broker.workers[i].user, broker.workers[i].counted);
                broker.workers[i].pid = 0;
            }
}

/* A worker that outlives its alarm was stopped by its user, or hangs in a file system of the
 * user's. It can do nothing any more; it is its user's place that it takes. */
static void write_off_overdue(int64_t now)
{
    for (size_t i = 0; i < WORKERS_MAX; i++) {
        struct worker *worker = &broker.workers[i];
        if (worker->pid == 0 || !worker->counted || now - worker->started_ms < OVERDUE_MS)
            continue;
        worker->counted = false;
        queue_write_off(&broker.queue);
    }
}

static void on_caller(struct loop_source *source, uint32_t events)
{
    (void)source;
    (void)events;
    broker.callers = true;
}

static int listen_on(int listening)
{
    return loop_add(&broker.loop, &broker.listening, listening, EPOLLIN, on_caller);
}

/* What is done once a second. */
static void sweep(int listening, int64_t now)
{
    struct queue *queue = &broker.queue;
    if (now - broker.swept_ms < TICK_MS)
        return;
    broker.swept_ms = now;
    write_off_overdue(now);
    if (broker.listening.fd < 0 && !broker.stopping)
        (void)listen_on(listening);
    for (int i = 0; i < queue->top && broker.n_refused < REFUSED_MAX; i++) {
        const struct queue_slot *slot = &queue->slots[i];
        int64_t limit = slot->ready ? SERVE_WAIT_MS : SERVE_SILENCE_MS;
        if (slot->user < 0 || now - slot->since_ms < limit)
            continue;
        bool ready = slot->ready;
        queue_leave(queue, i);
        refuse_slot(i, ETIMEDOUT, ready ? busy_text : slow_text);
    }
}

static void on_signal(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct signalfd_siginfo info;
    while (read(source->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            broker.children = true;
        else
            broker.stopping = true;
    }
}

static int watch_signals(struct err *err)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGCHLD);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)signal(SIGCHLD, SIG_DFL);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    if (sigprocmask(SIG_SETMASK, &set, NULL) < 0)
        return err_sys(err, errno, "cannot block signals");
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    int r = fd < 0 ? -errno : loop_add(&broker.loop, &broker.signals, fd, EPOLLIN, on_signal);
    return r < 0 ? err_sys(err, -r, "cannot watch signals") : 0;
}

/* As many connections as there are fds for. */
static int count_slots(void)
{
    struct rlimit limit = {0};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    rlim_t spare = OTHER_FDS + REFUSED_MAX;
    if (limit.rlim_cur <= spare)
        return 1;
    return limit.rlim_cur - spare > QUEUE_SLOTS_MAX ? QUEUE_SLOTS_MAX
                                                    : (int)(limit.rlim_cur - spare);
}

static void work(int listening)
{
    (void)loop_once(&broker.loop, TICK_MS);
    int64_t now = clock_ms();
    if (broker.children)
        reap();
    if (broker.callers && !broker.stopping)
        accept_callers(listening);
    while (start_next())
        ;
    sweep(listening, now);
    bury_refused();
    if (broker.callers || broker.children || broker.queue.waiting > 0 || broker.queue.running > 0)
        broker.busy_ms = now;
    broker.callers = broker.children = false;
}

int serve(const struct listener *listener, int ends_idle, struct err *err)
{
    int r = loop_init(&broker.loop, err);
    if (r < 0)
        return r;
    queue_init(&broker.queue, count_slots());
    r = watch_signals(err);
    if (r < 0)
        return r;
    r = listen_on(listener->fd);
    if (r < 0)
        return err_sys(err, -r, "cannot watch the socket");
    broker.busy_ms = clock_ms();
    while (!broker.stopping && (!ends_idle || clock_ms() - broker.busy_ms < SERVE_IDLE_MS))
        work(listener->fd);

    broker.stopping = true;
    loop_del(&broker.loop, &broker.listening);
    int64_t end = clock_ms() + SERVE_FAREWELL_MS;
    while ((broker.queue.waiting > 0 || broker.queue.running > 0) && clock_ms() < end)
        work(listener->fd);
    loop_fini(&broker.loop);
    return 0;
}
