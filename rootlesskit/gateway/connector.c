#include "rootlesskit/gateway/connector.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>

#include "lib/base/clock.h"
#include "lib/base/fd.h"
#include "lib/net/address.h"
#include "rootlesskit/gateway/dial.h"
#include "rootlesskit/gateway/relay.h"
#include "rootlesskit/gateway/source_socket.h"

struct connector_attempt {
    struct table_item item;
    struct loop_source source;
    struct connector *connector;
    struct sockaddr_storage to;
    int64_t deadline;
    uint32_t owner;
    int client_fd;
    int fd; /* connecting as the client */
};

/* The two sockets are the caller's from here on, or closed already. */
static void release(struct connector_attempt *attempt)
{
    table_bury(&attempt->connector->worker->loop, attempt);
}

static void join_plainly(struct connector *connector, int take_sock,
                         const struct sockaddr_storage *to, uint32_t owner)
{
    int fd = dial(to, SOCK_STREAM, true);
    if (fd < 0) {
        stats_failed(&connector->worker->stats, STATS_PUBLISHED, -fd);
        relay_reset(take_sock); /* nobody there: the client sees a refusal */
        return;
    }
    (void)relay_join_connecting(connector->worker, take_sock, fd, owner);
}

static void give_up(struct connector_attempt *attempt, bool plainly)
{
    loop_del(&attempt->connector->worker->loop, &attempt->source);
    fd_close(attempt->fd);
    if (plainly)
        join_plainly(attempt->connector, attempt->client_fd, &attempt->to, attempt->owner);
    else
        relay_reset(attempt->client_fd);
    release(attempt);
}

static void on_connected(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct connector_attempt *attempt = loop_owner(source, struct connector_attempt, source);
    int code = 0;
    socklen_t len = sizeof code;
    if (getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
        code = errno;
    if (code != 0) {
        if (code == ECONNREFUSED)
            stats_failed(&attempt->connector->worker->stats, STATS_PUBLISHED, code);
        give_up(attempt, code != ECONNREFUSED);
        return;
    }
    loop_del(&attempt->connector->worker->loop, source);
    (void)relay_join(attempt->connector->worker, attempt->client_fd, attempt->fd, attempt->owner);
    release(attempt);
}

static void on_tick(struct worker_timer *timer, int64_t now_ms)
{
    struct connector *connector = loop_owner(timer, struct connector, timer);
    struct connector_attempt *attempt = NULL;
    bool waiting = false;
    while ((attempt = table_next(&connector->attempts, attempt))) {
        if (attempt->deadline <= now_ms)
            give_up(attempt, true);
        else
            waiting = true;
    }
    if (!waiting)
        worker_timer_stop(timer);
}

/* Within one host the answer is there when connect(2) returns, but only a second call tells. */
static int begin(int fd, const struct sockaddr_storage *to)
{
    int r = dial_connect(fd, to);
    return r == -EINPROGRESS ? dial_connect(fd, to) : r;
}

static bool wait_for(struct connector *connector, int take_sock, int take_fd,
                     const struct sockaddr_storage *to, uint32_t owner)
{
    struct connector_attempt *attempt = table_take(&connector->attempts);
    if (!attempt)
        return false;
    attempt->connector = connector;
    attempt->to = *to;
    attempt->deadline = clock_ms() + CONNECTOR_WAIT_MS;
    attempt->owner = owner;
    attempt->client_fd = take_sock;
    attempt->fd = take_fd;
    if (loop_add(&connector->worker->loop, &attempt->source, take_fd, EPOLLOUT, on_connected) < 0) {
        release(attempt);
        return false;
    }
    worker_timer_start(connector->worker, &connector->timer);
    return true;
}

/* A client that goes from one thread to the next. */
struct pass {
    struct connector *connector; /* who gets it */
    struct in6_addr to;
    uint32_t owner;
    int fd;
    uint16_t to_port;
    uint8_t hops; /* so many may follow */
};
_Static_assert(sizeof(struct pass) <= WORKER_POST_MAX, "a client fits into a letter");

static void join(struct connector *connector, int take_sock, const struct sockaddr_storage *peer,
                 const struct sockaddr_storage *to, uint32_t owner, uint8_t hops);

static void take_pass(struct worker *worker, void *arg)
{
    const struct pass *pass = arg;
    struct sockaddr_storage peer = {0};
    const struct sockaddr_storage to = address_to_socket(&pass->to, pass->to_port);
    socklen_t len = sizeof peer;
    (void)worker;
    if (!pass->connector->has_port(pass->connector, pass->owner) ||
        getpeername(pass->fd, (struct sockaddr *)&peer, &len) < 0)
        relay_reset(pass->fd); /* one of the two is gone */
    else
        join(pass->connector, pass->fd, &peer, &to, pass->owner, pass->hops);
    (void)atomic_fetch_add(&pass->connector->ring->done, 1);
}

static bool pass_on(struct connector *connector, int sock, const struct sockaddr_storage *to,
                    uint32_t owner, uint8_t hops)
{
    struct pass pass = {
        .connector = connector->next, .owner = owner, .fd = sock, .hops = (uint8_t)(hops - 1)};
    if (hops == 0)
        return false;
    pass.to_port = address_of_socket(to, &pass.to);
    (void)atomic_fetch_add(&connector->ring->begun, 1);
    if (worker_post(pass.connector->worker, take_pass, &pass, sizeof pass) == 0)
        return true;
    (void)atomic_fetch_add(&connector->ring->done, 1);
    return false;
}

/* @return false when nothing came of it: @p sock is still the caller's */
static bool join_as_client(struct connector *connector, int sock,
                           const struct sockaddr_storage *peer, const struct sockaddr_storage *to,
                           uint32_t owner, uint8_t hops)
{
    if (connector->rules == GATEWAY_SOURCE_IP_NONE)
        return false;
    int fd = source_socket_open(peer, to, SOCK_STREAM, connector->rules);
    int r = fd < 0 ? fd : begin(fd, to);
    if (r == 0) {
        (void)relay_join(connector->worker, sock, fd, owner);
        return true;
    }
    if ((r == -EALREADY || r == -EINPROGRESS) && wait_for(connector, sock, fd, to, owner))
        return true;
    bool in_the_way = fd >= 0 && r == -EADDRNOTAVAIL; /* connect(2): by all four numbers */
    fd_close(fd);
    if (in_the_way)
        return pass_on(connector, sock, to, owner, hops);
    if (r == -ECONNREFUSED) {
        stats_failed(&connector->worker->stats, STATS_PUBLISHED, ECONNREFUSED);
        relay_reset(sock);
    }
    return r == -ECONNREFUSED;
}

static void join(struct connector *connector, int take_sock, const struct sockaddr_storage *peer,
                 const struct sockaddr_storage *to, uint32_t owner, uint8_t hops)
{
    if (!join_as_client(connector, take_sock, peer, to, owner, hops))
        join_plainly(connector, take_sock, to, owner);
}

void connector_join(struct connector *connector, int take_sock, const struct sockaddr_storage *peer,
                    const struct sockaddr_storage *to, uint32_t owner)
{
    join(connector, take_sock, peer, to, owner, connector->others);
}

void connector_census(const struct connector *connector, struct relay_census *census)
{
    const struct connector_attempt *attempt = NULL;
    while ((attempt = table_next(&connector->attempts, attempt)))
        relay_census_see(census, attempt->owner);
}

void connector_end_all(struct connector *connector, uint32_t owner)
{
    struct connector_attempt *attempt = NULL;
    while ((attempt = table_next(&connector->attempts, attempt)))
        if (attempt->owner == owner)
            give_up(attempt, false);
}

static void put_attempts(struct stats_source *source, struct stats_sink *sink)
{
    const struct connector *connector = loop_owner(source, struct connector, stats);
    const struct connector_attempt *attempt = NULL;
    int64_t now = clock_ms();
    while ((attempt = table_next(&connector->attempts, attempt))) {
        struct stats_record record = {
            .direction = STATS_PUBLISHED, .state = STATS_CONNECTING, .port_id = attempt->owner};
        record.age_s = (uint32_t)((now + CONNECTOR_WAIT_MS - attempt->deadline) / 1000);
        record.idle_s = record.age_s;
        record.child_port = address_of_socket(&attempt->to, &record.child);
        stats_address_of(attempt->client_fd, true, &record.remote, &record.remote_port);
        stats_put(sink, &record);
    }
}

int connector_init(struct connector *connector, struct worker *worker, enum gateway_source_ip rules,
                   struct err *err)
{
    *connector = (struct connector){
        .worker = worker, .timer.fn = on_tick, .rules = rules, .stats.put = put_attempts};
    stats_join(&worker->stats, &connector->stats);
    return table_init(&connector->attempts, sizeof(struct connector_attempt), CONNECTOR_ATTEMPTS,
                      err);
}
