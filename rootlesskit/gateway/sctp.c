/*
 * Theory of operation
 *
 * A way leads from one end to the other. A message is read into the common buffer and sent at once.
 * What the destination does not take, and a message that comes in parts, is held in memory of the
 * way's own: whole, it blocks the source until it is sent.
 *
 * There is memory for SCTP_HELD such messages (room.h). With none left, whoever has something to
 * read waits in a queue, and is not read: the message might have to be held. What is given back is
 * the next one's, for one message; who keeps others waiting for SCTP_HELD_MS is aborted.
 *
 * SCTP knows no half-close: whoever shuts an association down sends no more and gets what is under
 * way. So the end of one end shuts the other one down, whose last messages are read and have nobody
 * to go to; when both have ended they are closed. An error of either aborts both.
 */
#include "rootlesskit/gateway/sctp.h"

#include <errno.h>
#include <linux/sctp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/net/address.h"
#include "rootlesskit/gateway/dial.h"
#include "rootlesskit/gateway/relay.h"

/* Messages a way may move before others get their turn. */
#define BUDGET 64

struct way {
    struct room_claim claim; /* on memory for a message */
    struct association *association;
    unsigned char *held; /* SCTP_MESSAGE_MAX bytes, or NULL */
    uint32_t len;
    bool whole; /* all of the message is in it */
    bool ended; /* its source sends no more */
    struct sctp_sndinfo info;
    uint64_t bytes;
};

struct end {
    struct loop_source source;
    int fd;
    uint32_t events; /* registered */
};

struct association {
    struct table_item item;
    struct end end[2]; /* the client's, the service's */
    struct way way[2]; /* way[i] leads from end[i] to end[1 - i] */
    struct sctp *sctp;
    int64_t deadline;
    uint32_t port_id, opened_s, used_s;
    bool connecting;
};

static void let_go(struct way *way)
{
    room_leave(&way->association->sctp->room, &way->claim);
    if (way->held)
        (void)munmap(way->held, SCTP_MESSAGE_MAX);
    way->held = NULL;
    way->len = 0;
    way->whole = false;
}

static void drop(struct association *association, bool abort)
{
    struct sctp *sctp = association->sctp;
    struct stats_counters *counters = &sctp->worker->stats.counters;
    if (!association->connecting)
        counters->closed[STATS_SCTP][STATS_PUBLISHED]++;
    for (int i = 0; i < 2; i++)
        let_go(&association->way[i]);
    for (int i = 0; i < 2; i++) {
        struct end *end = &association->end[i];
        loop_del(&sctp->worker->loop, &end->source);
        if (abort)
            relay_reset(end->fd); /* which SCTP calls so */
        else
            fd_close(end->fd);
    }
    table_bury(&sctp->worker->loop, association);
}

/* @return bytes; 0: the end; -EAGAIN: no more for now; -errno */
static ssize_t receive(struct way *way, int fd, unsigned char *into, size_t room, bool *ret_whole)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(struct sctp_rcvinfo))];
    } control;
    struct iovec iov = {.iov_base = into, .iov_len = room};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT);
    if (n <= 0)
        return n < 0 ? -errno : 0;
    if (message.msg_flags & MSG_NOTIFICATION)
        return 0; /* the only one that shut_down() asks for */
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        struct sctp_rcvinfo from;
        if (c->cmsg_level != IPPROTO_SCTP || c->cmsg_type != SCTP_RCVINFO)
            continue;
        memcpy(&from, CMSG_DATA(c), sizeof from);
        way->info = (struct sctp_sndinfo){.snd_sid = from.rcv_sid,
                                          .snd_flags = from.rcv_flags & SCTP_UNORDERED,
                                          .snd_ppid = from.rcv_ppid};
    }
    *ret_whole = (message.msg_flags & MSG_EOR) != 0;
    return n;
}

/* A message goes whole or not at all. @return 0 or -errno */
static int send_on(const struct way *way, int fd, unsigned char *data, size_t len)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(struct sctp_sndinfo))];
    } control = {0};
    struct iovec iov = {.iov_base = data, .iov_len = len};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = IPPROTO_SCTP;
    c->cmsg_type = SCTP_SNDINFO;
    c->cmsg_len = CMSG_LEN(sizeof way->info);
    memcpy(CMSG_DATA(c), &way->info, sizeof way->info);
    return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Puts what is in the common buffer aside. */
static int hold(struct way *way, const unsigned char *data, size_t len, bool whole)
{
    room_take(&way->association->sctp->room, &way->claim);
    if (!way->held)
        way->held = table_reserve(SCTP_MESSAGE_MAX);
    if (!way->held)
        return -ENOMEM;
    if (way->held + way->len != data)
        memcpy(way->held + way->len, data, len);
    way->len += (uint32_t)len;
    way->whole = whole;
    return 0;
}

/* Passes a whole message on, from where it is. @return 0; -EAGAIN: it has to wait; -errno */
static int pass_on(struct association *association, int w, unsigned char *data, size_t len)
{
    struct way *way = &association->way[w];
    struct stats_counters *counters = &association->sctp->worker->stats.counters;
    enum stats_way direction = w == 1 ? STATS_SENT : STATS_RECEIVED;
    int r = send_on(way, association->end[1 - w].fd, data, len);
    if (r == -EAGAIN && !way->whole) {
        r = hold(way, data, len, true);
        return r < 0 ? r : -EAGAIN;
    }
    if (r < 0)
        return r;
    way->bytes += len;
    counters->bytes[STATS_SCTP][STATS_PUBLISHED][direction] += len;
    association->used_s = stats_now_s();
    let_go(way);
    return 0;
}

/* Of its end the kernel tells only the side that did not shut the association down, unless the
 * other asks for it; it comes behind the last message. */
static void shut_down(int fd)
{
    const struct sctp_event event = {.se_type = SCTP_ASSOC_CHANGE, .se_on = 1};
    (void)setsockopt(fd, IPPROTO_SCTP, SCTP_EVENT, &event, sizeof event);
    (void)shutdown(fd, SHUT_WR);
}

static void end_way(struct association *association, int w)
{
    association->way[w].ended = true;
    let_go(&association->way[1 - w]);
    /* It would report its end for ever. */
    loop_del(&association->sctp->worker->loop, &association->end[w].source);
    shut_down(association->end[1 - w].fd);
}

/* What is read may have to be held. Who has nothing to read does not stand in the queue: his turn
 * would keep the others waiting. @return 0; -EAGAIN: it has to wait, or nothing is there; -errno */
static int find_room(struct association *association, int w)
{
    struct sctp *sctp = association->sctp;
    struct way *way = &association->way[w];
    unsigned char byte;
    if (room_is_open(&sctp->room, &way->claim) || association->way[1 - w].ended)
        return 0;
    ssize_t n = recv(association->end[w].fd, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT);
    if (n <= 0)
        return n < 0 ? -errno : 0; /* the end needs no memory */
    room_wait(&sctp->room, &way->claim);
    worker_timer_start(sctp->worker, &sctp->timer);
    return -EAGAIN;
}

/* One message, or a part of it. @return 0, or what the way came to */
static int step(struct association *association, int w)
{
    struct way *way = &association->way[w];
    if (way->whole)
        return pass_on(association, w, way->held, way->len);
    unsigned char *into = way->held ? way->held + way->len : association->sctp->buffer;
    size_t room = SCTP_MESSAGE_MAX - way->len;
    bool whole = false;
    if (room == 0)
        return -EMSGSIZE;
    int r = find_room(association, w);
    if (r < 0)
        return r;
    ssize_t n = receive(way, association->end[w].fd, into, room, &whole);
    if (n < 0)
        return (int)n;
    if (n == 0) {
        end_way(association, w);
        return -EAGAIN;
    }
    if (association->way[1 - w].ended)
        return 0; /* nobody to go to */
    if (whole && !way->held)
        return pass_on(association, w, into, (size_t)n);
    r = hold(way, into, (size_t)n, whole);
    return r >= 0 && whole ? pass_on(association, w, way->held, way->len) : r;
}

/* @return false when the association is broken */
static bool pump(struct association *association, int w)
{
    int r = 0;
    for (int i = 0; i < BUDGET && r == 0 && !association->way[w].ended; i++)
        r = step(association, w);
    return r == 0 || r == -EAGAIN || r == -EINTR;
}

static bool waits(const struct way *way)
{
    return way->whole || room_is_waiting(&way->claim);
}

static uint32_t wanted(const struct association *association, int i)
{
    if (association->connecting)
        return EPOLLOUT;
    return (waits(&association->way[i]) ? 0 : (uint32_t)EPOLLIN) |
           (association->way[1 - i].whole ? (uint32_t)EPOLLOUT : 0);
}

static void set_interest(struct association *association)
{
    for (int i = 0; i < 2; i++) {
        struct end *end = &association->end[i];
        uint32_t events = wanted(association, i);
        if (association->way[i].ended || events == end->events)
            continue;
        if (loop_mod(&association->sctp->worker->loop, &end->source, events) == 0)
            end->events = events;
    }
}

static void on_room(struct room_claim *claim)
{
    set_interest(loop_owner(claim, struct way, claim)->association);
}

static void on_client_end(struct loop_source *source, uint32_t events);
static void on_service_end(struct loop_source *source, uint32_t events);

static int watch(struct association *association, int i)
{
    struct end *end = &association->end[i];
    end->events = wanted(association, i);
    return loop_add(&association->sctp->worker->loop, &end->source, end->fd, end->events,
                    i == 0 ? on_client_end : on_service_end);
}

static bool finish_connect(struct association *association)
{
    struct stats *stats = &association->sctp->worker->stats;
    int code = 0;
    socklen_t len = sizeof code;
    if (getsockopt(association->end[1].fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
        code = errno;
    if (code != 0) {
        stats_failed(stats, STATS_PUBLISHED, code);
        return false;
    }
    association->connecting = false;
    stats->counters.opened[STATS_SCTP][STATS_PUBLISHED]++;
    return watch(association, 0) >= 0;
}

static void on_end(struct association *association, int i, uint32_t events)
{
    bool ok = !association->connecting || finish_connect(association);
    if (ok && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        ok = pump(association, i);
    /* A message that waits keeps the error from being read: it would be told for ever. */
    if ((events & EPOLLERR) && waits(&association->way[i]))
        ok = false;
    if (ok && (events & EPOLLOUT))
        ok = pump(association, 1 - i);
    if (!ok)
        drop(association, true);
    else if (association->way[0].ended && association->way[1].ended)
        drop(association, false);
    else
        set_interest(association);
}

static void on_client_end(struct loop_source *source, uint32_t events)
{
    on_end(loop_owner(source, struct association, end[0].source), 0, events);
}

static void on_service_end(struct loop_source *source, uint32_t events)
{
    on_end(loop_owner(source, struct association, end[1].source), 1, events);
}

static void prepare(int fd)
{
    const int on = 1, size = SCTP_MESSAGE_MAX;
    (void)setsockopt(fd, IPPROTO_SCTP, SCTP_RECVRCVINFO, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_SCTP, SCTP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
}

/* The service is offered what the client has. */
static int dial_service(int client, const struct sockaddr_storage *to)
{
    struct sctp_status status = {0};
    struct sctp_initmsg streams = {0};
    socklen_t len = sizeof status;
    if (getsockopt(client, IPPROTO_SCTP, SCTP_STATUS, &status, &len) < 0)
        return -errno;
    streams.sinit_num_ostreams = status.sstat_instrms;
    streams.sinit_max_instreams = status.sstat_outstrms;
    cleanup_close int fd =
        socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_SCTP);
    if (fd < 0 || setsockopt(fd, IPPROTO_SCTP, SCTP_INITMSG, &streams, sizeof streams) < 0)
        return -errno;
    prepare(fd);
    int r = dial_connect(fd, to);
    return r < 0 && r != -EINPROGRESS ? r : take_fd(&fd);
}

static void on_client(struct listener *listener, int take_sock, const struct sockaddr_storage *peer)
{
    struct sctp_port *port = loop_owner(listener, struct sctp_port, listener);
    struct sctp *sctp = port->sctp;
    (void)peer;
    prepare(take_sock);
    int fd = dial_service(take_sock, port->target);
    struct association *association = fd >= 0 ? table_take(&sctp->associations) : NULL;
    if (!association) {
        stats_failed(&sctp->worker->stats, STATS_PUBLISHED, fd < 0 ? -fd : ENOBUFS);
        relay_reset(fd);
        relay_reset(take_sock);
        return;
    }
    association->sctp = sctp;
    association->way[0].association = association->way[1].association = association;
    association->port_id = port->id;
    association->connecting = true;
    association->deadline = clock_ms() + SCTP_CONNECT_MS;
    association->opened_s = association->used_s = stats_now_s();
    association->end[0].fd = take_sock;
    association->end[1].fd = fd;
    association->end[0].source.fd = association->end[1].source.fd = -1;
    worker_timer_start(sctp->worker, &sctp->timer);
    if (watch(association, 1) < 0)
        drop(association, true);
}

static bool is_overdue(const struct association *association, int64_t now_ms)
{
    const struct room *room = &association->sctp->room;
    const struct way *way = association->way;
    return room_is_overdue(room, &way[0].claim, now_ms - SCTP_HELD_MS) ||
           room_is_overdue(room, &way[1].claim, now_ms - SCTP_HELD_MS);
}

static void on_tick(struct worker_timer *timer, int64_t now_ms)
{
    struct sctp *sctp = loop_owner(timer, struct sctp, timer);
    struct association *association = NULL;
    bool waiting = false;
    while ((association = table_next(&sctp->associations, association))) {
        waiting |= association->connecting;
        if (association->connecting && now_ms >= association->deadline) {
            stats_failed(&sctp->worker->stats, STATS_PUBLISHED, ETIMEDOUT);
            drop(association, true);
        } else if (is_overdue(association, now_ms)) {
            drop(association, true);
        }
    }
    if (!waiting && !room_is_wanted(&sctp->room))
        worker_timer_stop(timer);
}

static void put_associations(struct stats_source *source, struct stats_sink *sink)
{
    const struct sctp *sctp = loop_owner(source, struct sctp, stats);
    const struct association *association = NULL;
    uint32_t now_s = stats_now_s();
    while ((association = table_next(&sctp->associations, association))) {
        const struct way *way = association->way;
        struct stats_record record = {
            .proto = STATS_SCTP,
            .direction = STATS_PUBLISHED,
            .state = association->connecting        ? STATS_CONNECTING
                     : way[0].ended || way[1].ended ? STATS_ENDING
                                                    : STATS_OPEN,
            .port_id = association->port_id,
            .bytes = {way[1].bytes, way[0].bytes},
            .age_s = now_s - association->opened_s,
            .idle_s = now_s - association->used_s,
        };
        stats_address_of(association->end[0].fd, true, &record.remote, &record.remote_port);
        stats_address_of(association->end[1].fd, true, &record.child, &record.child_port);
        stats_put(sink, &record);
    }
}

int sctp_init(struct sctp *sctp, struct worker *worker, struct err *err)
{
    *sctp = (struct sctp){.worker = worker, .timer.fn = on_tick, .stats.put = put_associations};
    stats_join(&worker->stats, &sctp->stats);
    room_init(&sctp->room, SCTP_HELD, on_room);
    sctp->buffer = table_reserve(SCTP_MESSAGE_MAX);
    if (!sctp->buffer)
        return err_set(err, ENOMEM, "no memory for messages");
    return table_init(&sctp->associations, sizeof(struct association), SCTP_ASSOCIATIONS, err);
}

int sctp_open(struct sctp *sctp, struct sctp_port *port, uint32_t id, int fd,
              const struct sockaddr_storage *target)
{
    const struct sctp_initmsg streams = {.sinit_num_ostreams = SCTP_STREAMS,
                                         .sinit_max_instreams = SCTP_STREAMS};
    *port = (struct sctp_port){.sctp = sctp, .target = target, .id = id};
    if (setsockopt(fd, IPPROTO_SCTP, SCTP_INITMSG, &streams, sizeof streams) < 0)
        return -errno;
    return listener_start(&port->listener, sctp->worker, fd, on_client);
}

void sctp_close(struct sctp_port *port, bool take_all)
{
    if (take_all)
        listener_take_all(&port->listener);
    listener_stop(&port->listener);
    worker_timer_forget(port->sctp->worker, &port->listener.retry);
}

void sctp_end_all(struct sctp *sctp, uint32_t id)
{
    struct association *association = NULL;
    while ((association = table_next(&sctp->associations, association)))
        if (association->port_id == id)
            drop(association, true);
}

void sctp_census(const struct sctp *sctp, struct relay_census *census)
{
    const struct association *association = NULL;
    while ((association = table_next(&sctp->associations, association)))
        relay_census_see(census, association->port_id);
}
