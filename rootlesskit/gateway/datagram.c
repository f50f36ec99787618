#include "rootlesskit/gateway/datagram.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/net/address.h"
#include "rootlesskit/gateway/burst.h"
#include "rootlesskit/gateway/dial.h"
#include "rootlesskit/gateway/hash.h"
#include "rootlesskit/gateway/source_socket.h"

/* What makes a flow of a port; no padding, so that it is compared and hashed as bytes. */
struct key {
    struct in6_addr client, local; /* IPv4 mapped */
    uint32_t scope;                /* of a link-local client: its interface */
    uint32_t port;                 /* network byte order */
};

struct datagram_flow {
    struct table_item item;
    struct loop_source source;
    struct recent_link recent;
    struct datagram_port *port;
    struct datagram_flow *next; /* in its bucket */
    struct key key;
    uint64_t bytes[STATS_WAYS];
    uint32_t opened_s;
    int fd;         /* connected to the port's target */
    bool as_client; /* bears the client's address ... */
    bool has_port;  /* ... and port */
};

/* By the client alone: all its flows are in one bucket. */
static uint32_t bucket_of(const struct datagrams *all, const struct key *key)
{
    return hash_address(all->seed, &key->client, (uint16_t)key->port) % DATAGRAM_BUCKETS;
}

static struct key key_of(const struct burst_piece *piece)
{
    struct key key = {.local = piece->local};
    if (piece->from.any.sa_family == AF_INET6) {
        key.client = piece->from.v6.sin6_addr;
        key.port = piece->from.v6.sin6_port;
        key.scope = piece->from.v6.sin6_scope_id;
    } else {
        key.client.s6_addr[10] = key.client.s6_addr[11] = 0xff;
        memcpy(&key.client.s6_addr[12], &piece->from.v4.sin_addr, sizeof(struct in_addr));
        key.port = piece->from.v4.sin_port;
    }
    return key;
}

static struct burst_route route_of(const struct datagram_flow *flow)
{
    struct burst_route route = {.local = flow->key.local};
    if (flow->port->family == AF_INET6) {
        route.to.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
                                            .sin6_port = (in_port_t)flow->key.port,
                                            .sin6_addr = flow->key.client,
                                            .sin6_scope_id = flow->key.scope};
        route.to_len = sizeof route.to.v6;
    } else {
        route.to.v4 =
            (struct sockaddr_in){.sin_family = AF_INET, .sin_port = (in_port_t)flow->key.port};
        memcpy(&route.to.v4.sin_addr, &flow->key.client.s6_addr[12], sizeof(struct in_addr));
        route.to_len = sizeof route.to.v4;
    }
    return route;
}

static void count_sent(struct datagram_flow *flow, enum stats_way way, struct burst_sent sent)
{
    struct stats *stats = &flow->port->datagrams->worker->stats;
    flow->bytes[way] += sent.bytes;
    stats->counters.bytes[STATS_UDP][STATS_PUBLISHED][way] += sent.bytes;
    stats_dropped(stats, STATS_PUBLISHED, ENOBUFS, sent.lost);
}

static void touch(struct datagram_flow *flow)
{
    recent_touch(&flow->port->datagrams->by_use, &flow->recent, clock_ms());
}

/* It is free at once: an event that the running batch may still have for it finds no callback, or
 * the next flow's, whose socket then has nothing to read. */
static void release(struct datagram_flow *flow)
{
    struct datagrams *all = flow->port->datagrams;
    struct datagram_flow **place = &all->buckets[bucket_of(all, &flow->key)];
    while (*place != flow)
        place = &(*place)->next;
    *place = flow->next;
    recent_remove(&all->by_use, &flow->recent);
    loop_del(&all->worker->loop, &flow->source);
    all->worker->stats.counters.closed[STATS_UDP][STATS_PUBLISHED]++;
    flow->fd = fd_close(flow->fd);
    table_give(flow);
}

/* An answer that waits on the socket would be lost with it. */
static bool is_busy(struct recent_link *link)
{
    return burst_is_waiting(recent_owner(link, struct datagram_flow, recent)->fd);
}

/* Ends the one used longest ago, if there is one. */
static bool make_room(struct datagrams *all)
{
    struct recent_link *oldest = recent_spare(&all->by_use, is_busy, clock_ms());
    if (oldest)
        release(recent_owner(oldest, struct datagram_flow, recent));
    return oldest != NULL;
}

static struct datagram_flow *find(const struct datagram_port *port, const struct key *key)
{
    struct datagrams *all = port->datagrams;
    struct datagram_flow *flow = all->buckets[bucket_of(all, key)];
    while (flow && (flow->port != port || memcmp(&flow->key, key, sizeof *key) != 0))
        flow = flow->next;
    return flow;
}

static uint16_t service_of(const struct datagram_port *port)
{
    struct in6_addr any;
    return address_of_socket(&port->target, &any);
}

static bool is_taken(const struct datagram_port *port, const struct key *key)
{
    const struct datagrams *all = port->datagrams;
    uint16_t client_port = ntohs((in_port_t)key->port);
    if (client_port < IPPORT_RESERVED || all->services[client_port] > 0)
        return true;
    for (const struct datagram_flow *flow = all->buckets[bucket_of(all, key)]; flow;
         flow = flow->next)
        if (flow->has_port && flow->key.port == key->port &&
            address_equal(&flow->key.client, &key->client) &&
            service_of(flow->port) == service_of(port))
            return true;
    return false;
}

/* @return a connected socket that bears the client's address and this port, or -errno */
static int dial_from(const struct datagram_port *port, const struct key *key, uint16_t from)
{
    const struct sockaddr_storage client = address_to_socket(&key->client, from);
    cleanup_close int fd =
        source_socket_open(&client, &port->target, SOCK_DGRAM, port->datagrams->rules);
    if (fd < 0)
        return fd;
    int r = dial_connect(fd, &port->target);
    return r < 0 ? r : take_fd(&fd);
}

static int dial_as_client(const struct datagram_port *port, const struct key *key,
                          bool *ret_has_port)
{
    int fd = -EADDRINUSE;
    if (port->datagrams->rules == GATEWAY_SOURCE_IP_NONE)
        return -EADDRNOTAVAIL;
    if (!is_taken(port, key))
        fd = dial_from(port, key, ntohs((in_port_t)key->port));
    *ret_has_port = fd >= 0;
    return fd == -EADDRINUSE ? dial_from(port, key, 0) : fd;
}

/* To a service on this host or, where the namespace passes it on, beyond a smaller MTU: fragments
 * are better than a loss. */
static void prepare(int fd, int family)
{
    const int never_dont_fragment = IP_PMTUDISC_DONT;
    if (family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &never_dont_fragment,
                         sizeof never_dont_fragment);
    else
        (void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &never_dont_fragment,
                         sizeof never_dont_fragment);
    burst_prepare(fd, family);
}

static bool out_of_fds(int r)
{
    return r == -EMFILE || r == -ENFILE || r == -ENOBUFS || r == -ENOMEM;
}

static void on_answers(struct loop_source *source, uint32_t events);

static int dial_plainly(const struct datagram_port *port)
{
    int fd = dial(&port->target, SOCK_DGRAM, true);
    if (fd >= 0)
        prepare(fd, port->target.ss_family);
    return fd;
}

/* @return a connected socket, or -errno; what it bears in @p ret */
static int dial_service(const struct datagram_port *port, const struct key *key,
                        struct datagram_flow *ret)
{
    ret->has_port = false;
    int fd = dial_as_client(port, key, &ret->has_port);
    ret->as_client = fd >= 0;
    if (fd < 0)
        return out_of_fds(fd) ? fd : dial_plainly(port);
    prepare(fd, port->target.ss_family);
    return fd;
}

/* @return NULL when no socket for it can be had: the datagram is lost */
static struct datagram_flow *make(struct datagram_port *port, const struct key *key)
{
    struct datagrams *all = port->datagrams;
    struct datagram_flow new = {0};
    int fd = dial_service(port, key, &new);
    if (out_of_fds(fd) && make_room(all))
        fd = dial_service(port, key, &new);
    if (fd < 0)
        return NULL;
    struct datagram_flow *flow = table_take(&all->flows);
    if (!flow && make_room(all))
        flow = table_take(&all->flows);
    if (!flow || loop_add(&all->worker->loop, &flow->source, fd, EPOLLIN, on_answers) < 0) {
        fd_close(fd);
        table_give(flow);
        return NULL;
    }
    struct datagram_flow **bucket = &all->buckets[bucket_of(all, key)];
    flow->port = port;
    flow->key = *key;
    flow->fd = fd;
    flow->as_client = new.as_client;
    flow->has_port = new.has_port;
    flow->opened_s = stats_now_s();
    all->worker->stats.counters.opened[STATS_UDP][STATS_PUBLISHED]++;
    flow->next = *bucket;
    *bucket = flow;
    recent_add(&all->by_use, &flow->recent, clock_ms());
    worker_timer_start(all->worker, &all->timer);
    return flow;
}

static void on_answers(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct datagram_flow *flow = loop_owner(source, struct datagram_flow, source);
    struct burst *burst = flow->port->datagrams->burst;
    uint8_t which[BURST_MAX];
    int n = burst_receive(burst, flow->fd);
    if (n < 0 && n != -EAGAIN) /* nobody listens there (ICMP): he may come back */
        stats_dropped(&flow->port->datagrams->worker->stats, STATS_PUBLISHED, -n, 1);
    if (n <= 0)
        return;
    for (int i = 0; i < n; i++)
        which[i] = (uint8_t)i;
    struct burst_route route = route_of(flow);
    touch(flow);
    (void)burst_send(burst, flow->port->fd, &route, which, (unsigned)n);
    count_sent(flow, STATS_SENT, burst_sent(burst));
}

/* The rules have no room for another flow, or a firewall is against it. */
static bool is_forbidden(const struct datagram_flow *flow, const struct burst *burst,
                         unsigned refusals)
{
    return flow->as_client && refusals > 0 && burst_refusal(burst, 0)->code == -EPERM;
}

/* @return whether the flow has a socket of the namespace's own address now */
static bool become_plain(struct datagram_flow *flow)
{
    struct loop *loop = &flow->port->datagrams->worker->loop;
    int fd = dial_plainly(flow->port);
    if (fd < 0)
        return false;
    flow->as_client = flow->has_port = false;
    loop_del(loop, &flow->source);
    fd_close(flow->fd);
    flow->fd = fd;
    return loop_add(loop, &flow->source, fd, EPOLLIN, on_answers) >= 0;
}

/* Sends on all the pieces of the client of piece i. @return them as bits */
static uint32_t pass_on(struct datagram_port *port, const struct key *keys, unsigned i, unsigned n)
{
    const struct burst_route connected = {.to.any.sa_family = port->target.ss_family};
    uint8_t which[BURST_MAX];
    unsigned n_which = 0;
    uint32_t bits = 0;
    for (unsigned k = i; k < n; k++) {
        if (memcmp(&keys[k], &keys[i], sizeof keys[i]) != 0)
            continue;
        which[n_which++] = (uint8_t)k;
        bits |= 1U << k;
    }
    struct datagram_flow *flow = find(port, &keys[i]);
    if (!flow)
        flow = make(port, &keys[i]);
    if (!flow) {
        stats_dropped(&port->datagrams->worker->stats, STATS_PUBLISHED, ENOBUFS, n_which);
        return bits;
    }
    touch(flow);
    struct burst *burst = port->datagrams->burst;
    unsigned refusals = burst_send(burst, flow->fd, &connected, which, n_which);
    if (is_forbidden(flow, burst, refusals) && become_plain(flow))
        (void)burst_send(burst, flow->fd, &connected, which, n_which);
    count_sent(flow, STATS_RECEIVED, burst_sent(burst));
    return bits;
}

static void on_clients(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct datagram_port *port = loop_owner(source, struct datagram_port, source);
    struct burst *burst = port->datagrams->burst;
    struct key keys[BURST_MAX];
    uint32_t done = 0;
    int n = burst_receive(burst, port->fd);
    for (int i = 0; i < n; i++)
        keys[i] = key_of(burst_piece(burst, (unsigned)i));
    for (int i = 0; i < n; i++)
        if (!(done & 1U << i))
            done |= pass_on(port, keys, (unsigned)i, (unsigned)n);
}

static void on_tick(struct worker_timer *timer, int64_t now_ms)
{
    struct datagrams *all = loop_owner(timer, struct datagrams, timer);
    struct recent_link *link;
    while ((link = recent_idle(&all->by_use, DATAGRAM_IDLE_MS, is_busy, now_ms)))
        release(recent_owner(link, struct datagram_flow, recent));
    if (!all->by_use.oldest)
        worker_timer_stop(timer);
}

static void put_flows(struct stats_source *source, struct stats_sink *sink)
{
    const struct datagrams *all = loop_owner(source, struct datagrams, stats);
    int64_t now_ms = clock_ms();
    const struct datagram_flow *flow = NULL;
    while ((flow = table_next(&all->flows, flow))) {
        struct stats_record record = {
            .proto = STATS_UDP,
            .direction = STATS_PUBLISHED,
            .state = STATS_OPEN,
            .port_id = flow->port->id,
            .remote = flow->key.client,
            .remote_port = ntohs((in_port_t)flow->key.port),
            .bytes = {flow->bytes[STATS_SENT], flow->bytes[STATS_RECEIVED]},
            .age_s = stats_now_s() - flow->opened_s,
            .idle_s = (uint32_t)((now_ms - flow->recent.used_ms) / 1000),
        };
        record.child_port = address_of_socket(&flow->port->target, &record.child);
        stats_put(sink, &record);
    }
}

int datagrams_init(struct datagrams *datagrams, struct worker *worker, enum gateway_source_ip rules,
                   struct err *err)
{
    *datagrams = (struct datagrams){.worker = worker,
                                    .timer.fn = on_tick,
                                    .rules = rules,
                                    .burst = burst_new(),
                                    .stats.put = put_flows};
    stats_join(&worker->stats, &datagrams->stats);
    datagrams->buckets = table_reserve(DATAGRAM_BUCKETS * sizeof(struct datagram_flow *));
    datagrams->services = table_reserve((UINT16_MAX + 1) * sizeof *datagrams->services);
    if (!datagrams->burst || !datagrams->buckets || !datagrams->services)
        return err_set(err, ENOMEM, "no memory for datagrams");
    datagrams->seed = hash_seed();
    return table_init(&datagrams->flows, sizeof(struct datagram_flow), DATAGRAM_FLOWS, err);
}

int datagram_open(struct datagrams *datagrams, struct datagram_port *port, uint32_t id, int fd,
                  const struct sockaddr_storage *target)
{
    socklen_t len = sizeof port->family;
    *port = (struct datagram_port){.datagrams = datagrams, .target = *target, .fd = fd, .id = id};
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &port->family, &len) < 0)
        return -errno;
    burst_prepare(fd, port->family);
    int r = loop_add(&datagrams->worker->loop, &port->source, fd, EPOLLIN, on_clients);
    if (r >= 0)
        datagrams->services[service_of(port)]++;
    return r;
}

void datagram_close(struct datagram_port *port)
{
    struct datagrams *all = port->datagrams;
    struct datagram_flow *flow = NULL;
    loop_del(&all->worker->loop, &port->source);
    all->services[service_of(port)]--;
    while ((flow = table_next(&all->flows, flow)))
        if (flow->port == port)
            release(flow);
}
