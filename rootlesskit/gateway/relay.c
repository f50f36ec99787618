/*
 * Theory of operation
 *
 * A relay has two ends (sockets) and two ways. A way is in one of three modes:
 *
 *   copy   recv() into the worker's buffer, send() at once. Nothing is held: an idle connection
 * costs no buffer and no pipe, and a short exchange costs two system calls. bulk   RELAY_BULK full
 * reads in a row: the way takes a pipe and splices through it, which copies nothing. When both pipe
 * and source are empty the pipe goes back to the pool. stuck  the destination takes no more
 * (blocked). What was read already waits in a pipe; the source is not read until the destination is
 * writable.
 *
 * End of file on a source becomes shutdown(SHUT_WR) on the destination once the pipe is empty; when
 * both ways are closed the relay is gone. An error on either socket becomes a RST on the other.
 *
 * epoll is level-triggered. A socket whose peer is gone reports EPOLLHUP whatever is asked for: if
 * it has to wait for the other end it leaves the loop (hung_up), and the other end's events drive
 * it.
 */
#include "rootlesskit/gateway/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/fd.h"

#define RELAY_BULK 3
/* Bytes a way may move before the others get their turn. */
#define RELAY_BUDGET (1024 * 1024)

void relay_reset(int take_fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (take_fd < 0)
        return;
    (void)setsockopt(take_fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    fd_close(take_fd);
}

static struct relay *alloc(struct worker *worker)
{
    struct relay *relay = worker->free_relays;
    if (relay)
        worker->free_relays = relay->next_free;
    else if (worker->n_relays < WORKER_RELAYS)
        relay = &worker->relays[worker->n_relays++];
    else
        return NULL;
    *relay = (struct relay){.worker = worker};
    for (int i = 0; i < 2; i++) {
        relay->way[i].pipe.in = -1;
        relay->end[i].source.fd = -1;
    }
    return relay;
}

static void give_back(struct loop_grave *grave)
{
    struct relay *relay = loop_owner(grave, struct relay, grave);
    relay->next_free = relay->worker->free_relays;
    relay->worker->free_relays = relay;
}

static enum stats_direction direction_of(const struct relay *relay)
{
    return relay->owner ? STATS_PUBLISHED : STATS_OUTBOUND;
}

static void count_opened(struct relay *relay)
{
    relay->worker->stats.counters.opened[STATS_TCP][direction_of(relay)]++;
}

static void count_moved(struct relay *relay, int w, size_t moved)
{
    enum stats_direction direction = direction_of(relay);
    enum stats_way way = (w == 1) == (direction == STATS_PUBLISHED) ? STATS_SENT : STATS_RECEIVED;
    relay->way[w].bytes += moved;
    relay->worker->stats.counters.bytes[STATS_TCP][direction][way] += moved;
    relay->used_s = stats_now_s();
}

static void drop(struct relay *relay, bool reset)
{
    if (!relay->connecting)
        relay->worker->stats.counters.closed[STATS_TCP][direction_of(relay)]++;
    for (int i = 0; i < 2; i++) {
        struct relay_way *way = &relay->way[i];
        if (way->pipe.in >= 0 && way->in_pipe == 0) {
            worker_pipe_give(relay->worker, way->pipe);
        } else if (way->pipe.in >= 0) {
            fd_close(way->pipe.in);
            fd_close(way->pipe.out);
        }
        loop_del(&relay->worker->loop, &relay->end[i].source);
        if (reset)
            relay_reset(relay->end[i].fd);
        else
            fd_close(relay->end[i].fd);
    }
    relay->open = false;
    relay->grave.free_fn = give_back;
    loop_bury(&relay->worker->loop, &relay->grave);
}

/* What a step of a way came to. */
enum step {
    STEP_MOVED,   /* some bytes: go on */
    STEP_EMPTY,   /* the source has no more for now, or has ended */
    STEP_BLOCKED, /* the destination takes no more */
    STEP_ERROR,   /* one of the two is broken */
};

static bool would_block(void)
{
    return errno == EAGAIN || errno == EINTR;
}

/* The destination was too slow: what is in the buffer waits in a pipe. */
static enum step keep(struct relay *relay, struct relay_way *way, const unsigned char *rest,
                      size_t len)
{
    if (way->pipe.in < 0 && worker_pipe_take(relay->worker, &way->pipe) < 0)
        return STEP_ERROR;
    ssize_t n = write(way->pipe.out, rest, len);
    if (n < 0 || (size_t)n != len)
        return STEP_ERROR; /* an empty pipe of the pool holds WORKER_BUFFER bytes */
    way->in_pipe = (uint32_t)len;
    return STEP_BLOCKED;
}

static enum step copy_step(struct relay *relay, int w, size_t *moved)
{
    struct relay_way *way = &relay->way[w];
    unsigned char *buffer = relay->worker->buffer;
    /* What the destination does not take must have a place to wait. Without one it stays where it
     * is: it is looked at, and only what was sent is taken. */
    bool peek = !worker_pipe_ready(relay->worker);
    ssize_t n = recv(relay->end[w].fd, buffer, WORKER_BUFFER, peek ? MSG_PEEK : 0);
    if (n < 0)
        return would_block() ? STEP_EMPTY : STEP_ERROR;
    if (n == 0) {
        way->ended = true;
        return STEP_EMPTY;
    }
    way->full_reads = n == WORKER_BUFFER ? (uint8_t)(way->full_reads + 1) : 0;
    ssize_t sent = send(relay->end[1 - w].fd, buffer, (size_t)n, MSG_NOSIGNAL);
    if (sent < 0 && !would_block())
        return STEP_ERROR;
    sent = sent < 0 ? 0 : sent;
    *moved += (size_t)sent;
    if (peek && sent > 0 && recv(relay->end[w].fd, buffer, (size_t)sent, MSG_TRUNC) < 0)
        return STEP_ERROR;
    if (peek && sent < n)
        return STEP_BLOCKED;
    if (sent < n)
        return keep(relay, way, buffer + sent, (size_t)(n - sent));
    return n == WORKER_BUFFER ? STEP_MOVED : STEP_EMPTY;
}

static enum step drain_pipe(struct relay *relay, int w, size_t *moved)
{
    struct relay_way *way = &relay->way[w];
    while (way->in_pipe > 0) {
        ssize_t n = splice(way->pipe.in, NULL, relay->end[1 - w].fd, NULL, way->in_pipe,
                           SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n < 0)
            return would_block() ? STEP_BLOCKED : STEP_ERROR;
        way->in_pipe -= (uint32_t)n;
        *moved += (size_t)n;
    }
    return STEP_MOVED;
}

static enum step fill_pipe(struct relay *relay, int w)
{
    struct relay_way *way = &relay->way[w];
    ssize_t n = splice(relay->end[w].fd, NULL, way->pipe.out, NULL, WORKER_PIPE_SIZE,
                       SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (n <= 0)
        return n == 0 || would_block() ? STEP_EMPTY : STEP_ERROR;
    way->in_pipe = (uint32_t)n;
    /* A trickle is cheaper copied: leave bulk when a turn brings little. */
    way->full_reads = n >= WORKER_BUFFER / 2 ? RELAY_BULK : (uint8_t)(way->full_reads - 1);
    return STEP_MOVED;
}

/* splice(2) takes nothing from an urgent byte on, and calls that the end once a FIN is there:
 * whoever was woken for something and got nothing copies. */
static enum step bulk_step(struct relay *relay, int w, size_t *moved)
{
    struct relay_way *way = &relay->way[w];
    if (way->in_pipe == 0) {
        enum step step = STEP_EMPTY;
        if (way->pipe.in >= 0 || worker_pipe_take(relay->worker, &way->pipe) == 0)
            step = fill_pipe(relay, w);
        if (step == STEP_EMPTY && *moved == 0) {
            way->full_reads = 0;
            return copy_step(relay, w, moved);
        }
        if (step != STEP_MOVED)
            return step;
    }
    return drain_pipe(relay, w, moved);
}

static void pass_on_end(struct relay *relay, int w)
{
    struct relay_way *way = &relay->way[w];
    if (!way->ended || way->closed || way->in_pipe > 0)
        return;
    way->closed = true;
    (void)shutdown(relay->end[1 - w].fd, SHUT_WR);
}

/* Moves what can be moved. @return false when the connection is broken */
static bool pump(struct relay *relay, int w)
{
    struct relay_way *way = &relay->way[w];
    size_t moved = 0;
    enum step step = STEP_MOVED;
    while (step == STEP_MOVED && moved < RELAY_BUDGET) {
        if (way->ended && way->in_pipe == 0)
            break;
        step = way->in_pipe > 0 || way->full_reads >= RELAY_BULK ? bulk_step(relay, w, &moved)
                                                                 : copy_step(relay, w, &moved);
    }
    if (moved > 0)
        count_moved(relay, w, moved);
    if (step == STEP_ERROR)
        return false;
    way->blocked = step == STEP_BLOCKED;
    if (way->in_pipe == 0 && way->pipe.in >= 0 && step != STEP_MOVED) {
        worker_pipe_give(relay->worker, way->pipe);
        way->pipe.in = -1;
    }
    pass_on_end(relay, w);
    return true;
}

/* What comes from a hung-up end is fetched whenever the other one is writable: a turn that ended
 * for its budget, not for want of room, has nothing else to wake it. */
static uint32_t wanted(const struct relay *relay, int i)
{
    const struct relay_way *from = &relay->way[i], *to = &relay->way[1 - i];
    if (relay->connecting)
        return i == 1 ? EPOLLOUT : 0;
    return (from->ended || from->blocked ? 0 : (uint32_t)EPOLLIN) |
           (to->blocked || (relay->end[1 - i].hung_up && !to->closed) ? (uint32_t)EPOLLOUT : 0);
}

static void set_interest(struct relay *relay)
{
    for (int i = 0; i < 2; i++) {
        struct relay_end *end = &relay->end[i];
        uint32_t events = wanted(relay, i);
        if (end->hung_up || events == end->events)
            continue;
        if (loop_mod(&relay->worker->loop, &end->source, events) == 0)
            end->events = events;
    }
}

static bool finish_connect(struct relay *relay)
{
    int code = 0;
    socklen_t len = sizeof code;
    if (getsockopt(relay->end[1].fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
        code = errno;
    if (code != 0) {
        stats_failed(&relay->worker->stats, direction_of(relay), code);
        return false;
    }
    relay->connecting = false;
    count_opened(relay);
    return true;
}

/* Moves what the events of end i allow; a hung-up end gives no events, so it is tried every time.
 */
static bool pump_both(struct relay *relay, int i, uint32_t events)
{
    bool from = (events & (EPOLLIN | EPOLLHUP)) || relay->end[i].hung_up;
    bool to = (events & EPOLLOUT) || relay->end[1 - i].hung_up;
    return (!from || pump(relay, i)) && (!to || pump(relay, 1 - i));
}

/* End i's peer is gone for good. @return false when nothing can be fetched from it any more */
static bool hang_up(struct relay *relay, int i)
{
    if (relay->way[i].ended && !relay->way[i].blocked)
        return false;
    if (relay->way[i].blocked && !relay->end[i].hung_up) {
        relay->end[i].hung_up = true;
        loop_del(&relay->worker->loop, &relay->end[i].source);
    }
    return true;
}

static void on_end(struct relay *relay, int i, uint32_t events)
{
    /* While connecting, the client's end asks for nothing: only its own failure is reported. */
    bool ok = relay->connecting ? i == 1 && finish_connect(relay) : !(events & EPOLLERR);
    ok = ok && pump_both(relay, i, events);
    if (ok && relay->way[0].closed && relay->way[1].closed) {
        drop(relay, false);
        return;
    }
    if (ok && (events & EPOLLHUP))
        ok = hang_up(relay, i);
    if (ok)
        set_interest(relay);
    else
        drop(relay, true);
}

static void on_end_0(struct loop_source *source, uint32_t events)
{
    on_end(loop_owner(source, struct relay, end[0].source), 0, events);
}

static void on_end_1(struct loop_source *source, uint32_t events)
{
    on_end(loop_owner(source, struct relay, end[1].source), 1, events);
}

static int join(struct worker *worker, int fd_a, int fd_b, uint32_t owner, bool connecting)
{
    struct relay *relay = alloc(worker);
    if (!relay) {
        stats_failed(&worker->stats, owner ? STATS_PUBLISHED : STATS_OUTBOUND, ENOBUFS);
        relay_reset(fd_a);
        relay_reset(fd_b);
        return -ENOBUFS;
    }
    relay->owner = owner;
    relay->connecting = connecting;
    relay->open = true;
    relay->opened_s = relay->used_s = stats_now_s();
    if (!connecting)
        count_opened(relay);
    relay->end[0].fd = fd_a;
    relay->end[1].fd = fd_b;
    int r = 0;
    for (int i = 0; i < 2 && r >= 0; i++) {
        struct relay_end *end = &relay->end[i];
        end->events = wanted(relay, i);
        r = loop_add(&worker->loop, &end->source, end->fd, end->events,
                     i == 0 ? on_end_0 : on_end_1);
    }
    if (r < 0)
        drop(relay, true);
    return r;
}

int relay_join(struct worker *worker, int take_fd_a, int take_fd_b, uint32_t owner)
{
    return join(worker, take_fd_a, take_fd_b, owner, false);
}

int relay_join_connecting(struct worker *worker, int take_fd_a, int take_fd_b, uint32_t owner)
{
    return join(worker, take_fd_a, take_fd_b, owner, true);
}

void relay_end_all(struct worker *worker, uint32_t owner)
{
    for (uint32_t i = 0; i < worker->n_relays; i++)
        if (worker->relays[i].open && worker->relays[i].owner == owner)
            drop(&worker->relays[i], true);
}
