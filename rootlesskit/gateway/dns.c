#include "rootlesskit/gateway/dns.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "rootlesskit/gateway/dial.h"
#include "rootlesskit/gateway/relay.h"

#define DEFAULT_TIMEOUT_S 5 /* RES_TIMEOUT of resolv.conf(5) */
/* What is missing of that when we give up: our clock's tick, and the way to the child. */
#define EARLY_MS 300
#define DNS_PORT 53
#define UDP_BATCH 32
#define UDP_ROOM (1 << 20)
#define HEADER 12          /* RFC 1035, 4.1.1 */
#define FLAG_RESPONSE 0x80 /* QR, in byte 2 */
#define RCODE_MASK 0x0f    /* in byte 3 */
#define RCODE_SERVFAIL 2
#define RCODE_NOTIMP 4
#define RCODE_REFUSED 5

/* Whom a question goes to. */
struct turn {
    int64_t begun;
    int64_t deadline; /**< of the resolver that is asked */
    uint32_t tried;   /**< resolvers, in order */
};

struct dns_query {
    struct table_item item;
    struct loop_source source;
    struct dns_front *front;
    struct dns_query *next; /**< of those that wait */
    int fd;                 /**< connected to the resolver that is asked; < 0: none is */
    struct sockaddr_storage client;
    struct turn turn;
    uint16_t len;
    uint8_t data[DNS_QUERY_MAX];
};

struct dns_call {
    struct table_item item;
    struct loop_source source;
    struct dns *dns;
    struct dns_call *next; /**< likewise */
    int client_fd;
    int fd; /**< connecting to ... */
    struct sockaddr_storage to;
    struct turn turn;
};

static struct turn first_turn(void)
{
    return (struct turn){.begun = clock_ms()};
}

/* The next resolver to ask: each has an equal share of the time that the child waits. @return NULL
 * when all were asked */
static const struct sockaddr_storage *take_turn(const struct dns *dns, struct turn *turn)
{
    const struct gateway_resolvers *resolvers = &dns->resolvers.list;
    uint32_t timeout_s = resolvers->timeout_s > 0 ? resolvers->timeout_s : DEFAULT_TIMEOUT_S;
    if (turn->tried >= resolvers->n)
        return NULL;
    const struct sockaddr_storage *ret = &resolvers->addresses[turn->tried++];
    int64_t time = (int64_t)timeout_s * 1000 - EARLY_MS;
    turn->deadline = turn->begun + time * turn->tried / resolvers->n;
    return ret;
}

static bool is_last(const struct dns *dns, const struct turn *turn)
{
    return turn->tried >= dns->resolvers.list.n;
}

static struct dns_query *alloc_query(struct dns_front *front)
{
    struct dns_query *query = table_take(&front->dns->queries);
    if (!query)
        return NULL;
    query->front = front;
    query->fd = -EBADF;
    query->turn = first_turn();
    return query;
}

static void hang_up(struct dns_query *query)
{
    loop_del(&query->front->dns->worker->loop, &query->source);
    query->fd = fd_close(query->fd);
}

static void release_query(struct dns_query *query)
{
    hang_up(query);
    table_bury(&query->front->dns->worker->loop, query);
}

static void reply(struct dns_query *query, const void *data, size_t len)
{
    (void)sendto(query->front->udp.fd, data, len, MSG_DONTWAIT,
                 (const struct sockaddr *)&query->client, dial_length(&query->client));
    release_query(query);
}

/* The query itself comes back, marked as a failed response. */
static void reply_failure(struct dns_query *query, uint8_t rcode)
{
    query->front->dns->worker->stats.counters.dns_failures++;
    query->data[2] |= FLAG_RESPONSE;
    query->data[3] = (uint8_t)((query->data[3] & ~RCODE_MASK) | rcode);
    reply(query, query->data, query->len);
}

static void on_answer(struct loop_source *source, uint32_t events);

/* Asks the next resolver that can be asked at all. */
static void ask_next(struct dns_query *query)
{
    struct dns *dns = query->front->dns;
    const struct sockaddr_storage *to;
    while ((to = take_turn(dns, &query->turn))) {
        hang_up(query);
        dns->worker->stats.counters.dns_retries += query->turn.tried > 1;
        query->fd = dial(to, SOCK_DGRAM, false);
        if (query->fd >= 0 && send(query->fd, query->data, query->len, MSG_NOSIGNAL) >= 0 &&
            loop_add(&dns->worker->loop, &query->source, query->fd, EPOLLIN, on_answer) == 0)
            return;
    }
    reply_failure(query, RCODE_SERVFAIL);
}

/* libc asks the next server then. */
static bool is_failure(const unsigned char *answer)
{
    uint8_t rcode = answer[3] & RCODE_MASK;
    return rcode == RCODE_SERVFAIL || rcode == RCODE_NOTIMP || rcode == RCODE_REFUSED;
}

static void on_answer(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct dns_query *query = loop_owner(source, struct dns_query, source);
    struct dns *dns = query->front->dns;
    unsigned char *buffer = dns->worker->buffer;
    ssize_t n = recv(query->fd, buffer, WORKER_BUFFER, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n < 0) {
        ask_next(query); /* nobody listens there (ICMP) */
        return;
    }
    if (n < HEADER || !(buffer[2] & FLAG_RESPONSE) || memcmp(buffer, query->data, 2) != 0)
        return; /* not the answer to this query */
    if (is_failure(buffer) && !is_last(dns, &query->turn))
        ask_next(query);
    else
        reply(query, buffer, (size_t)n);
}

static void begin_query(struct dns_query *query)
{
    struct dns *dns = query->front->dns;
    dns->worker->stats.counters.dns_queries++;
    worker_timer_start(dns->worker, &dns->timer);
    if (query->front->refused) {
        reply_failure(query, RCODE_REFUSED);
    } else if (resolvers_look(&dns->resolvers)) {
        ask_next(query);
    } else {
        query->next = dns->waiting_query;
        dns->waiting_query = query;
    }
}

static void on_query(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct dns_front *front = loop_owner(source, struct dns_front, udp);
    for (int i = 0; i < UDP_BATCH; i++) {
        struct dns_query *query = alloc_query(front);
        uint8_t drain[1];
        if (!query) {
            if (recv(source->fd, drain, sizeof drain, MSG_DONTWAIT) >= 0)
                stats_dropped(&front->dns->worker->stats, STATS_OUTBOUND, ENOBUFS, 1);
            return;
        }
        socklen_t len = sizeof query->client;
        ssize_t n = recvfrom(source->fd, query->data, sizeof query->data, MSG_DONTWAIT | MSG_TRUNC,
                             (struct sockaddr *)&query->client, &len);
        bool good = n >= HEADER && (size_t)n <= sizeof query->data;
        if (good && !(query->data[2] & FLAG_RESPONSE)) {
            query->len = (uint16_t)n;
            begin_query(query);
            continue;
        }
        release_query(query);
        if (n < 0)
            return;
    }
}

static struct dns_call *alloc_call(struct dns *dns)
{
    struct dns_call *call = table_take(&dns->calls);
    if (!call)
        return NULL;
    call->dns = dns;
    call->fd = -EBADF;
    call->turn = first_turn();
    return call;
}

/* The client's socket is somebody else's by now. */
static void release_call(struct dns_call *call)
{
    table_bury(&call->dns->worker->loop, call);
}

static void on_connected(struct loop_source *source, uint32_t events);

/* Only a resolver that has accepted is joined: the child must not find out that one is down. */
static void call_next(struct dns_call *call)
{
    struct dns *dns = call->dns;
    const struct sockaddr_storage *to;
    while ((to = take_turn(dns, &call->turn))) {
        loop_del(&dns->worker->loop, &call->source);
        fd_close(call->fd);
        call->to = *to;
        call->fd = dial(to, SOCK_STREAM, false);
        if (call->fd >= 0 &&
            loop_add(&dns->worker->loop, &call->source, call->fd, EPOLLOUT, on_connected) == 0)
            return;
    }
    loop_del(&dns->worker->loop, &call->source);
    fd_close(call->fd);
    stats_failed(&dns->worker->stats, STATS_OUTBOUND, ECONNREFUSED);
    relay_reset(call->client_fd);
    release_call(call);
}

static void on_connected(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct dns_call *call = loop_owner(source, struct dns_call, source);
    int r = dial_connect(call->fd, &call->to);
    if (r == -EALREADY || r == -EINPROGRESS)
        return; /* an event of the socket before this one */
    if (r < 0 && r != -EISCONN) {
        call_next(call);
        return;
    }
    loop_del(&call->dns->worker->loop, source);
    (void)relay_join(call->dns->worker, call->client_fd, call->fd, 0);
    release_call(call);
}

static void on_connection(struct listener *listener, int take_sock,
                          const struct sockaddr_storage *peer)
{
    (void)peer;
    struct dns_front *front = loop_owner(listener, struct dns_front, tcp);
    struct dns *dns = front->dns;
    struct dns_call *call = front->refused ? NULL : alloc_call(dns);
    if (!call) {
        relay_reset(take_sock);
        return;
    }
    call->client_fd = take_sock;
    worker_timer_start(dns->worker, &dns->timer);
    if (resolvers_look(&dns->resolvers)) {
        call_next(call);
        return;
    }
    call->turn.deadline = INT64_MAX;
    call->next = dns->waiting_call;
    dns->waiting_call = call;
}

static bool tick_queries(struct dns *dns, int64_t now_ms)
{
    struct dns_query *query = NULL;
    bool waiting = dns->waiting_query;
    while ((query = table_next(&dns->queries, query))) {
        if (query->fd >= 0 && query->turn.deadline <= now_ms)
            ask_next(query);
        waiting |= query->fd >= 0;
    }
    return waiting;
}

static bool tick_calls(struct dns *dns, int64_t now_ms)
{
    struct dns_call *call = NULL;
    while ((call = table_next(&dns->calls, call)))
        if (call->turn.deadline <= now_ms)
            call_next(call);
    return table_next(&dns->calls, NULL) != NULL;
}

static void on_changed(struct resolvers *resolvers)
{
    struct dns *dns = loop_owner(resolvers, struct dns, resolvers);
    struct dns_query *query = NULL;
    while ((query = table_next(&dns->queries, query))) {
        if (query->fd < 0)
            continue; /* it waits for the very look */
        query->turn = first_turn();
        ask_next(query);
    }
}

static void on_ready(struct resolvers *resolvers)
{
    struct dns *dns = loop_owner(resolvers, struct dns, resolvers);
    struct dns_query *query;
    struct dns_call *call;
    while ((query = dns->waiting_query)) {
        dns->waiting_query = query->next;
        ask_next(query);
    }
    while ((call = dns->waiting_call)) {
        dns->waiting_call = call->next;
        call_next(call);
    }
}

/* Those who wait for a server may wait for one that the host has no more. */
static void on_tick(struct worker_timer *timer, int64_t now_ms)
{
    struct dns *dns = loop_owner(timer, struct dns, timer);
    bool waiting = tick_queries(dns, now_ms);
    waiting |= tick_calls(dns, now_ms);
    if (waiting)
        (void)resolvers_look(&dns->resolvers);
    else
        worker_timer_stop(timer);
}

int dns_init(struct dns *dns, struct worker *worker, int resolvers_fd, struct err *err)
{
    *dns = (struct dns){.worker = worker, .timer.fn = on_tick};
    int r = table_init(&dns->queries, sizeof(struct dns_query), DNS_QUERIES, err);
    if (r == 0)
        r = table_init(&dns->calls, sizeof(struct dns_call), DNS_CALLS, err);
    return r < 0 ? r
                 : resolvers_init(&dns->resolvers, worker, resolvers_fd, on_changed, on_ready, err);
}

int dns_serve(struct dns *dns, struct dns_front *front, int udp_fd, int tcp_fd, bool refused,
              struct err *err)
{
    const int room = UDP_ROOM;
    front->dns = dns;
    front->refused = refused;
    (void)setsockopt(udp_fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    int r = loop_add(&dns->worker->loop, &front->udp, udp_fd, EPOLLIN, on_query);
    if (r >= 0)
        r = listener_start(&front->tcp, dns->worker, tcp_fd, on_connection);
    return r < 0 ? err_sys(err, -r, "cannot watch the DNS sockets") : 0;
}
