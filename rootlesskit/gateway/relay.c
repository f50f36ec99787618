/*
 * Theory of operation
 *
 * A relay has two ends (sockets) and two ways. A way is in one of three modes:
 *
 * copy: recv() into the worker's buffer, send() at once. Nothing is held: an idle connection costs
 * no buffer and no pipe, and a short exchange costs two system calls.
 *
 * bulk: after RELAY_BULK full reads in a row the way takes a pipe and splices through it, which
 * copies nothing. When both pipe and source are empty the pipe goes back to the pool.
 *
 * stuck: the destination takes no more (blocked). What was read already waits in a pipe; the source
 * is not read until the destination is writable.
 *
 * End of file on a source becomes shutdown(SHUT_WR) on the destination once the pipe is empty; when
 * both ways are closed the relay is gone. An error on either socket becomes a RST on the other.
 *
 * A bulk connection goes to a mover, whole, when nothing of it waits in a pipe; it does not come
 * back. With every mover behind it stays where it is, for good.
 *
 * epoll is level-triggered. A socket whose peer is gone reports EPOLLHUP whatever is asked for: if
 * it has to wait for the other end it leaves the loop (hung_up), and the other end's events drive
 * it.
 */
#include "rootlesskit/gateway/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/fd.h"
#include "rootlesskit/gateway/movers.h"

#define RELAY_BULK 3
/* Loopback's largest segment is a little shorter than the buffer, and may come alone. */
#define RELAY_FULL (WORKER_BUFFER / 2)
/* A sender whose buffer holds less than two segments, which can be 64 KiB long here, has sent all
 * it may and waits for an acknowledgement that would be delayed by 40 ms. Reads of that size ask
 * for it; smaller ones are questions, with which the answer takes it along. */
#define RELAY_CHUNK 4096
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

static void count(struct worker *worker, int change)
{
    (void)atomic_fetch_add_explicit(&worker->n_relays, (uint32_t)change, memory_order_relaxed);
}

/* Takes a place; the count is the caller's. */
static struct relay *alloc(struct worker *worker, const int fd[2], uint32_t owner)
{
    struct relay *relay = table_take(&worker->relays);
    if (!relay)
        return NULL;
    relay->worker = worker;
    relay->owner = owner;
    for (int i = 0; i < 2; i++) {
        relay->way[i].pipe.in = -1;
        relay->end[i].source.fd = -1;
        relay->end[i].fd = fd[i];
    }
    return relay;
}

/* Its sockets and pipes are somebody else's, or closed. */
static void leave(struct relay *relay)
{
    count(relay->worker, -1);
    table_bury(&relay->worker->loop, relay);
}

static void give_pipe(struct relay *relay, struct relay_way *way)
{
    if (way->pipe.in >= 0 && way->in_pipe == 0) {
        worker_pipe_give(relay->worker, way->pipe);
    } else if (way->pipe.in >= 0) {
        fd_close(way->pipe.in);
        fd_close(way->pipe.out);
    }
    way->pipe.in = -1;
}

static enum stats_direction direction_of(uint32_t owner)
{
    return owner ? STATS_PUBLISHED : STATS_OUTBOUND;
}

static void count_opened(struct relay *relay)
{
    relay->worker->stats.counters.opened[STATS_TCP][direction_of(relay->owner)]++;
}

static void count_closed(struct worker *worker, uint32_t owner)
{
    worker->stats.counters.closed[STATS_TCP][direction_of(owner)]++;
}

static void count_moved(struct relay *relay, int w, size_t moved)
{
    enum stats_direction direction = direction_of(relay->owner);
    enum stats_way way = (w == 1) == (direction == STATS_PUBLISHED) ? STATS_SENT : STATS_RECEIVED;
    relay->way[w].bytes += moved;
    relay->worker->stats.counters.bytes[STATS_TCP][direction][way] += moved;
    relay->used_s = stats_now_s();
}

static void drop(struct relay *relay, bool reset)
{
    if (!relay->connecting)
        count_closed(relay->worker, relay->owner);
    for (int i = 0; i < 2; i++) {
        give_pipe(relay, &relay->way[i]);
        loop_leave(&relay->end[i].source);
        if (reset)
            relay_reset(relay->end[i].fd);
        else
            fd_close(relay->end[i].fd);
    }
    leave(relay);
}

/* What a step of a way came to. */
enum step {
    STEP_MOVED,   /* some bytes: go on */
    STEP_EMPTY,   /* the source has no more for now, or has ended */
    STEP_BLOCKED, /* the destination takes no more */
    STEP_ERROR,   /* one of the two is broken */
};

static void acknowledge(const struct relay_end *from, ssize_t n)
{
    const int now = 1;
    if (n >= RELAY_CHUNK && n < WORKER_BUFFER)
        (void)setsockopt(from->fd, IPPROTO_TCP, TCP_QUICKACK, &now, sizeof now);
}

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
    acknowledge(&relay->end[w], n);
    way->full_reads = n >= RELAY_FULL ? (uint8_t)(way->full_reads + 1) : 0;
    /* The end goes with the last of the data, as it came: a client that closes when it has all it
     * waits for would be the first to close else, and keep its port in TIME_WAIT. */
    ssize_t sent =
        send(relay->end[1 - w].fd, buffer, (size_t)n, MSG_NOSIGNAL | (way->ending ? MSG_MORE : 0));
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
    return n == WORKER_BUFFER || way->ending ? STEP_MOVED : STEP_EMPTY;
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
    acknowledge(&relay->end[w], n);
    way->in_pipe = (uint32_t)n;
    /* A trickle is cheaper copied: leave bulk when a turn brings little. */
    way->full_reads = n >= RELAY_FULL ? RELAY_BULK : (uint8_t)(way->full_reads - 1);
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

/* A connection changes threads when it is bulk and nothing of it waits in this one. */
static bool may_leave(const struct relay *relay)
{
    const struct relay_way *way = relay->way;
    return relay->worker->movers && !relay->stays && relay->worker->movers->n > 0 &&
           (way[0].full_reads >= RELAY_BULK || way[1].full_reads >= RELAY_BULK) &&
           way[0].in_pipe == 0 && way[1].in_pipe == 0 && !relay->end[0].hung_up &&
           !relay->end[1].hung_up;
}

/* Moves what can be moved. @return false when the connection is broken */
static bool pump(struct relay *relay, int w)
{
    struct relay_way *way = &relay->way[w];
    size_t moved = 0;
    enum step step = STEP_MOVED;
    while (step == STEP_MOVED && moved < RELAY_BUDGET) {
        if ((way->ended && way->in_pipe == 0) || may_leave(relay))
            break;
        step = way->in_pipe > 0 || way->full_reads >= RELAY_BULK ? bulk_step(relay, w, &moved)
                                                                 : copy_step(relay, w, &moved);
    }
    if (moved > 0)
        count_moved(relay, w, moved);
    if (step == STEP_ERROR)
        return false;
    way->blocked = step == STEP_BLOCKED;
    if (way->in_pipe == 0 && step != STEP_MOVED)
        give_pipe(relay, way);
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
    return (from->ended || from->blocked ? 0 : (uint32_t)(EPOLLIN | EPOLLRDHUP)) |
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
        stats_failed(&relay->worker->stats, direction_of(relay->owner), code);
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
    relay->way[i].ending |= (events & EPOLLRDHUP) != 0;
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

/* What is handed to a mover. */
struct parcel {
    int fd[2];
    struct relay_way way[2];
    uint32_t owner, opened_s, used_s;
};
_Static_assert(sizeof(struct parcel) <= WORKER_POST_MAX, "a connection fits into a letter");

static int watch(struct relay *relay);

static void unpack(struct worker *worker, void *arg)
{
    const struct parcel *parcel = arg;
    struct relay *relay = alloc(worker, parcel->fd, parcel->owner);
    if (!relay) {
        count(worker, -1);
        count_closed(worker, parcel->owner);
        relay_reset(parcel->fd[0]);
        relay_reset(parcel->fd[1]);
        return;
    }
    relay->opened_s = parcel->opened_s;
    relay->used_s = parcel->used_s;
    memcpy(relay->way, parcel->way, sizeof relay->way);
    (void)watch(relay);
}

/* The sockets leave this loop first: from the post on they are the mover's alone. */
static void hand_over(struct relay *relay, struct worker *mover)
{
    struct parcel parcel = {
        .owner = relay->owner, .opened_s = relay->opened_s, .used_s = relay->used_s};
    for (int i = 0; i < 2; i++) {
        give_pipe(relay, &relay->way[i]);
        parcel.way[i] = relay->way[i];
        parcel.fd[i] = relay->end[i].fd;
        loop_del(&relay->worker->loop, &relay->end[i].source);
    }
    count(mover, 1);
    if (worker_post(mover, unpack, &parcel, sizeof parcel) == 0) {
        leave(relay);
        return;
    }
    count(mover, -1);
    relay->stays = true;
    (void)watch(relay);
}

static void settle(struct relay *relay)
{
    struct worker *mover = may_leave(relay) ? movers_pick(relay->worker->movers) : NULL;
    if (mover)
        hand_over(relay, mover);
    else
        set_interest(relay);
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
        settle(relay);
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

static int watch(struct relay *relay)
{
    int r = 0;
    for (int i = 0; i < 2 && r >= 0; i++) {
        struct relay_end *end = &relay->end[i];
        end->events = wanted(relay, i);
        r = loop_add(&relay->worker->loop, &end->source, end->fd, end->events,
                     i == 0 ? on_end_0 : on_end_1);
    }
    if (r < 0)
        drop(relay, true);
    return r;
}

static int join(struct worker *worker, const int fd[2], uint32_t owner, bool connecting)
{
    struct relay *relay = alloc(worker, fd, owner);
    if (!relay) {
        stats_failed(&worker->stats, direction_of(owner), ENOBUFS);
        relay_reset(fd[0]);
        relay_reset(fd[1]);
        return -ENOBUFS;
    }
    count(worker, 1);
    relay->connecting = connecting;
    relay->opened_s = relay->used_s = stats_now_s();
    if (!connecting)
        count_opened(relay);
    return watch(relay);
}

int relay_join(struct worker *worker, int take_fd_a, int take_fd_b, uint32_t owner)
{
    const int fd[2] = {take_fd_a, take_fd_b};
    return join(worker, fd, owner, false);
}

int relay_join_connecting(struct worker *worker, int take_fd_a, int take_fd_b, uint32_t owner)
{
    const int fd[2] = {take_fd_a, take_fd_b};
    return join(worker, fd, owner, true);
}

static void end_here(struct worker *worker, void *arg)
{
    const uint32_t *owner = arg;
    struct relay *relay = NULL;
    while ((relay = table_next(&worker->relays, relay)))
        if (relay->owner == *owner)
            drop(relay, true);
}

void relay_census_see(struct relay_census *census, uint32_t owner)
{
    for (uint32_t i = 0; i < census->n; i++)
        census->found[i] |= census->owners[i] == owner;
}

static void count_here(struct worker *worker, void *arg)
{
    struct relay_census *census = arg;
    const struct relay *relay = NULL;
    while ((relay = table_next(&worker->relays, relay)))
        relay_census_see(census, relay->owner);
}

/* What is on its way to a mover is in front of our question in its inbox. */
static void ask_everywhere(struct worker *worker, worker_fn *fn, void *arg)
{
    fn(worker, arg);
    for (unsigned i = 0; worker->movers && i < worker->movers->n; i++)
        (void)worker_ask(&worker->movers->worker[i], fn, arg);
}

void relay_end_all(struct worker *worker, uint32_t owner)
{
    ask_everywhere(worker, end_here, &owner);
}

void relay_census(struct worker *worker, struct relay_census *census)
{
    ask_everywhere(worker, count_here, census);
}
