#include "rootlesskit/gateway/udp.h"

#include <errno.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/net/address.h"
#include "rootlesskit/gateway/burst.h"
#include "rootlesskit/gateway/errqueue.h"
#include "rootlesskit/gateway/hops.h"
#include "rootlesskit/gateway/icmp.h"
#include "rootlesskit/gateway/many.h"
#include "rootlesskit/gateway/policy.h"

#define HEADER 8 /* of UDP */
#define ETHERNET_MTU 1500
#define ERRORS_A_TURN 64 /* of one socket */

/* What datagrams must have in common to be sent together; no padding, so that it is compared as
 * bytes. What one kind of socket knows anyway is zero. */
struct way {
    struct in6_addr source, dest;
    uint16_t source_port, dest_port; /* host byte order */
    uint16_t hops, fragmented;
};

static uint16_t address_of(const union burst_address *from, struct in6_addr *ret)
{
    struct sockaddr_storage socket = {0};
    memcpy(&socket, from, sizeof *from);
    return address_of_socket(&socket, ret);
}

/* The pieces that go the way of piece i. @return how many */
static unsigned gather(const struct way *ways, unsigned i, unsigned n, uint8_t *which,
                       uint32_t *done)
{
    unsigned n_which = 0;
    for (unsigned k = i; k < n; k++) {
        if (memcmp(&ways[k], &ways[i], sizeof ways[i]) != 0)
            continue;
        which[n_which++] = (uint8_t)k;
        *done |= 1U << k;
    }
    return n_which;
}

/* --- what the child is told */

static const struct in6_addr *gateway_of(const struct udp *udp, const struct in6_addr *child)
{
    return address_is_v4(child) ? &udp->policy->v4.gateway : &udp->policy->v6.gateway;
}

struct notice {
    enum icmp_reason reason;
    uint32_t mtu;
    const struct in6_addr *from; /* NULL: the gateway */
};

/* @param len  of the datagram's data, as far as it is known */
static void tell(const struct udp *udp, const struct way *way, size_t len,
                 const struct notice *notice)
{
    size_t total = HEADER + len;
    const uint16_t header[HEADER / 2] = {
        htons(way->source_port), htons(way->dest_port),
        htons((uint16_t)(total > UINT16_MAX ? UINT16_MAX : total))};
    uint8_t head[HEADER];
    memcpy(head, header, sizeof head);
    struct icmp_quote quote = icmp_quote_make(&way->source, &way->dest, IPPROTO_UDP, head, total);
    icmp_send_error(udp->icmp, notice->from ? notice->from : gateway_of(udp, &way->source),
                    &way->source, notice->reason, notice->mtu, &quote);
}

static struct way way_of_pair(const struct pair *pair)
{
    return (struct way){.source = pair->mapping->child,
                        .dest = pair->remote,
                        .source_port = pair->mapping->port,
                        .dest_port = pair->port};
}

static void tell_mtu(struct pair *pair, const struct udp *udp, uint32_t mtu, size_t len,
                     bool always)
{
    struct way way = way_of_pair(pair);
    struct notice notice = {.reason = ICMP_TOO_BIG, .mtu = mtu};
    int64_t now = clock_ms();
    if (!always && mtu == pair->told_mtu && now - pair->told_ms < UDP_TELL_MS)
        return;
    pair->told_mtu = mtu;
    pair->told_ms = now;
    tell(udp, &way, len, &notice);
}

/* Of a datagram that left the host. A router that the child must not hear of is the gateway to it.
 */
static void pass_error_on(const struct udp *udp, const struct mapping *mapping,
                          const struct errqueue_error *error)
{
    struct way way = {
        .source = mapping->child, .source_port = mapping->port, .dest_port = error->port};
    struct in6_addr from;
    struct notice notice = {.reason = error->reason, .mtu = error->mtu, .from = &from};
    if (policy_origin(udp->policy, &error->dest, &way.dest) < 0)
        return;
    if (policy_origin(udp->policy, &error->offender, &from) < 0)
        notice.from = NULL;
    tell(udp, &way, 0, &notice);
}

/* @return the path's MTU when sending was refused for it, else 0 */
static uint32_t read_errors(const struct udp *udp, const struct mapping *mapping)
{
    struct errqueue_error error;
    uint32_t mtu = 0;
    for (unsigned i = 0; i < ERRORS_A_TURN && errqueue_next(mapping->fd, &error); i++) {
        if (!error.local)
            pass_error_on(udp, mapping, &error);
        else if (error.reason == ICMP_TOO_BIG)
            mtu = error.mtu;
    }
    return mtu;
}

/* What the last burst_send() came to. */
static void count_sent(const struct udp *udp, struct pair *pair, enum stats_way way)
{
    struct stats *stats = &udp->worker->stats;
    struct burst_sent sent = burst_sent(udp->burst);
    pair->bytes[way] += sent.bytes;
    stats->counters.bytes[STATS_UDP][STATS_OUTBOUND][way] += sent.bytes;
    stats_dropped(stats, STATS_OUTBOUND, ENOBUFS, sent.lost);
}

/* --- from the child */

/* A host's kernel says nothing of a datagram longer than its interface's MTU, it fragments it: so a
 * program is told only of what that interface would have let pass whole, by Ethernet's measure. */
static bool wants_the_mtu(const struct burst_route *route, size_t len)
{
    size_t headers = HEADER + (route->to.any.sa_family == AF_INET6 ? sizeof(struct ip6_hdr)
                                                                   : sizeof(struct iphdr));
    return headers + len <= ETHERNET_MTU;
}

/* What has a hop limit of its own asks for the way: it is refused, as by any router, for two
 * answers to one question mislead tracepath. Other datagrams go on in fragments. */
static void cut(struct udp *udp, struct pair *pair, const struct burst_route *route,
                const uint8_t *which, unsigned n)
{
    const struct burst_piece *first = burst_piece(udp->burst, which[0]);
    size_t len = first->segment > 0 ? first->segment : first->len;
    uint32_t mtu = read_errors(udp, pair->mapping);
    bool probe = route->hops > 0;
    unsigned refused = n;
    if (!probe) {
        mapping_keep_whole(pair->mapping, false);
        refused = burst_send(udp->burst, pair->mapping->fd, route, which, n);
        count_sent(udp, pair, STATS_SENT);
    }
    stats_dropped(&udp->worker->stats, STATS_OUTBOUND, EMSGSIZE, refused);
    if (mtu > 0 && (probe || (refused == 0 && wants_the_mtu(route, len))))
        tell_mtu(pair, udp, mtu, len, probe);
}

static void answer_refusals(struct udp *udp, struct pair *pair, const struct burst_route *route,
                            unsigned n)
{
    struct way way = way_of_pair(pair);
    uint8_t too_long[BURST_MAX];
    unsigned n_too_long = 0;
    int code = 0;
    for (unsigned i = 0; i < n; i++) {
        const struct burst_refusal *refusal = burst_refusal(udp->burst, i);
        if (refusal->code == -EMSGSIZE)
            too_long[n_too_long++] = refusal->piece;
        else
            code = refusal->code;
    }
    stats_dropped(&udp->worker->stats, STATS_OUTBOUND, -code, n - n_too_long);
    int reason = code < 0 ? icmp_reason_of(-code) : -1;
    struct notice notice = {.reason = (enum icmp_reason)reason};
    if (reason >= 0)
        tell(udp, &way, 0, &notice);
    if (n_too_long > 0)
        cut(udp, pair, route, too_long, n_too_long);
}

/* Pieces of one way. */
static void send_out(struct udp *udp, struct pair *pair, const struct way *way,
                     const uint8_t *which, unsigned n)
{
    struct burst_route route = {.to = pair->host, .to_len = sizeof pair->host.v4};
    bool to_gateway = address_equal(&pair->remote, gateway_of(udp, &pair->remote));
    if (!address_is_v4(&pair->remote))
        route.to_len = sizeof pair->host.v6;
    if (!to_gateway)
        route.hops = hops_onward((uint8_t)way->hops);
    mapping_keep_whole(pair->mapping, !way->fragmented);
    unsigned refused = burst_send(udp->burst, pair->mapping->fd, &route, which, n);
    count_sent(udp, pair, STATS_SENT);
    pair_use(&udp->mappings, pair, false, clock_ms());
    if (refused > 0)
        answer_refusals(udp, pair, &route, refused);
}

/* @return true: it ends here, and the child is told where it may be */
static bool ends_here(const struct udp *udp, const struct way *way, size_t len)
{
    struct notice over = {.reason = ICMP_TIME_OVER};
    if (way->hops != 1 || address_equal(&way->dest, gateway_of(udp, &way->dest)))
        return false;
    tell(udp, way, len, &over);
    return true;
}

static void refuse(const struct udp *udp, const struct way *way, size_t len, int code)
{
    int reason = icmp_reason_of(-code);
    struct notice notice = {.reason = (enum icmp_reason)reason};
    if (reason >= 0)
        tell(udp, way, len, &notice);
}

/* @param n  datagrams that go there
 * @return NULL: they are lost, or were answered */
static struct pair *pair_for(struct udp *udp, const struct way *way, size_t len, unsigned n)
{
    struct mappings *all = &udp->mappings;
    struct mapping *mapping = mapping_find(all, &way->source, way->source_port);
    struct pair *pair = mapping ? pair_find(all, mapping, &way->dest, way->dest_port) : NULL;
    struct in6_addr host;
    int64_t now = clock_ms();
    if (pair)
        return pair;
    int r = policy_destination(udp->policy, &way->dest, way->dest_port, &host);
    if (r == 0 && !mapping)
        r = mapping_make(all, &way->source, way->source_port, now, &mapping);
    if (r == 0)
        r = pair_make(all, mapping, &way->dest, way->dest_port, &host, now, &pair);
    if (r < 0) {
        stats_dropped(&udp->worker->stats, STATS_OUTBOUND, -r, n);
        refuse(udp, way, len, r);
    }
    worker_timer_start(udp->worker, &udp->timer);
    return pair;
}

static struct way way_of_piece(const struct burst_piece *piece)
{
    struct way way = {.dest = piece->local,
                      .dest_port = piece->local_port,
                      .hops = piece->hops,
                      .fragmented = piece->fragmented};
    way.source_port = address_of(&piece->from, &way.source);
    return way;
}

/* Nothing is even said of what goes to many (RFC 1122, 3.2.2). */
static bool is_served(const struct udp *udp, const struct way *way)
{
    return policy_is_child(udp->policy, &way->source) && !many_hosts(udp->policy, &way->dest) &&
           way->source_port != 0 && way->dest_port != 0;
}

/* Of the pieces received, those of each way together. */
static void serve_pieces(struct udp *udp, int n)
{
    struct way ways[BURST_MAX];
    uint8_t which[BURST_MAX];
    uint32_t done = 0;
    for (int i = 0; i < n; i++)
        ways[i] = way_of_piece(burst_piece(udp->burst, (unsigned)i));
    for (unsigned i = 0; (int)i < n; i++) {
        const struct way *way = &ways[i];
        if (done & 1U << i)
            continue;
        unsigned n_which = gather(ways, i, (unsigned)n, which, &done);
        size_t len = burst_piece(udp->burst, i)->len;
        if (!is_served(udp, way) || ends_here(udp, way, len))
            continue;
        struct pair *pair = pair_for(udp, way, len, n_which);
        if (pair)
            send_out(udp, pair, way, which, n_which);
    }
}

static void on_new_v4(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct udp *udp = loop_owner(source, struct udp, v4);
    serve_pieces(udp, burst_receive(udp->burst, source->fd));
}

static void on_new_v6(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct udp *udp = loop_owner(source, struct udp, v6);
    serve_pieces(udp, burst_receive(udp->burst, source->fd));
}

/* Nobody listens there any more; the remote may ask the host's kernel. */
static void drop_pair(struct udp *udp, struct pair *pair)
{
    struct mapping *mapping = pair->mapping;
    pair_release(&udp->mappings, pair);
    if (!mapping->pairs)
        mapping_release(&udp->mappings, mapping);
}

/* Not all is of this pair: while its socket was bound and not yet connected, the kernel may have
 * taken it for that of another datagram to its remote. */
static void serve_child(struct udp *udp, struct pair *pair)
{
    int n = burst_receive(udp->burst, pair->fd);
    bool refused = n == -ECONNREFUSED;
    if (refused) /* told before what waits: a new user of the port may have sent already */
        n = burst_receive(udp->burst, pair->fd);
    if (refused && n <= 0)
        drop_pair(udp, pair);
    else
        serve_pieces(udp, n);
}

/* --- from the host */

static struct pair *pair_of_answer(struct udp *udp, struct mapping *mapping, const struct way *way)
{
    struct mappings *all = &udp->mappings;
    struct in6_addr remote;
    struct pair *pair;
    if (policy_origin(udp->policy, &way->source, &remote) < 0 || way->source_port == 0)
        return NULL;
    pair = pair_find(all, mapping, &remote, way->source_port);
    if (!pair && policy_permits(udp->policy, &way->source, way->source_port))
        (void)pair_make(all, mapping, &remote, way->source_port, &way->source, clock_ms(), &pair);
    return pair;
}

static void serve_host(struct udp *udp, struct mapping *mapping)
{
    const struct burst_route connected = {.to.any.sa_family =
                                              (sa_family_t)address_family(&mapping->child)};
    struct way ways[BURST_MAX];
    uint8_t which[BURST_MAX];
    uint32_t done = 0;
    int n = burst_receive(udp->burst, mapping->fd);
    for (int i = 0; i < n; i++) {
        ways[i] = (struct way){0};
        ways[i].source_port =
            address_of(&burst_piece(udp->burst, (unsigned)i)->from, &ways[i].source);
    }
    for (unsigned i = 0; (int)i < n; i++) {
        if (done & 1U << i)
            continue;
        unsigned n_which = gather(ways, i, (unsigned)n, which, &done);
        struct pair *pair = pair_of_answer(udp, mapping, &ways[i]);
        if (!pair)
            continue;
        pair_use(&udp->mappings, pair, true, clock_ms());
        (void)burst_send(udp->burst, pair->fd, &connected, which, n_which);
        count_sent(udp, pair, STATS_RECEIVED);
    }
}

/* --- events */

static struct udp *udp_of(struct mappings *all)
{
    return loop_owner(all, struct udp, mappings);
}

static void on_child(struct loop_source *source, uint32_t events)
{
    struct pair *pair = loop_owner(source, struct pair, source);
    (void)events;
    serve_child(udp_of(pair->mapping->all), pair);
}

static void on_host(struct loop_source *source, uint32_t events)
{
    struct mapping *mapping = loop_owner(source, struct mapping, source);
    struct udp *udp = udp_of(mapping->all);
    if (events & EPOLLERR)
        (void)read_errors(udp, mapping);
    serve_host(udp, mapping);
}

static void on_tick(struct worker_timer *timer, int64_t now_ms)
{
    struct udp *udp = loop_owner(timer, struct udp, timer);
    if (!mappings_expire(&udp->mappings, now_ms))
        worker_timer_stop(timer);
}

static void put_flows(struct stats_source *source, struct stats_sink *sink)
{
    mappings_put(&loop_owner(source, struct udp, stats)->mappings, sink);
}

static int watch(struct udp *udp, struct loop_source *source, int fd, loop_fn *fn, int family)
{
    if (fd < 0)
        return 0;
    burst_want_heads(fd, family);
    return loop_add(&udp->worker->loop, source, fd, EPOLLIN, fn);
}

int udp_init(struct udp *udp, struct worker *worker, const struct policy *policy,
             const struct icmp_sockets *icmp, struct stock *stock, int fd4, int fd6, uint32_t fds,
             struct err *err)
{
    *udp = (struct udp){
        .worker = worker,
        .policy = policy,
        .icmp = icmp,
        .burst = burst_new(),
        .mappings = {.on_host = on_host, .on_child = on_child, .stats = &worker->stats},
        .timer.fn = on_tick,
        .stats.put = put_flows};
    stats_join(&worker->stats, &udp->stats);
    if (!udp->burst)
        return err_set(err, ENOMEM, "no memory for datagrams");
    int r = mappings_init(&udp->mappings, &worker->loop, stock, fds, err);
    if (r < 0)
        return r;
    r = watch(udp, &udp->v4, fd4, on_new_v4, AF_INET);
    if (r == 0)
        r = watch(udp, &udp->v6, fd6, on_new_v6, AF_INET6);
    return r < 0 ? err_sys(err, -r, "cannot watch the datagram socket") : 0;
}
