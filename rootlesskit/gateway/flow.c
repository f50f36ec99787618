/*
 * Theory of operation
 *
 *   SYN from tun0            connect on the host            the SYN, written back to tun0
 *   ------------->  CONNECTING  ------------->  INJECTED  ------------->  accepted: relay_join()
 *                      |                           |
 *                      | refused: RST              | never accepted: the host side is closed
 *                      | no route: ICMP            | (FLOW_ACCEPT_MS)
 *                      | timeout: nothing
 *
 * A SYN has no socket in G, so it is routed out of tun0 and read here. Nothing answers it until the
 * host side is known: the child sees the truth. When the connect succeeds, the very SYN goes back
 * into tun0, where tproxy hands it to our transparent listener; the kernel of G answers as the real
 * destination, and the accepted socket bears the two addresses by which its flow is found.
 *
 * The same SYN again (its sender lost patience) is absorbed while CONNECTING and goes on while
 * INJECTED. Shortage (no flow, no fd) drops the SYN: the sender's retry is the best queue there is.
 */
#include "rootlesskit/gateway/flow.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/net/address.h"
#include "rootlesskit/gateway/dial.h"
#include "rootlesskit/gateway/hash.h"
#include "rootlesskit/gateway/policy.h"
#include "rootlesskit/gateway/relay.h"

#define FLOW_CONNECT_MS 130000 /* a little more than the kernel's own limit (tcp_syn_retries 6) */
#define FLOW_ACCEPT_MS 20000
#define TUN_BATCH 64

static uint32_t bucket_of(const struct flows *flows, const struct packet_tuple *tuple)
{
    uint32_t h = hash_address(flows->seed, &tuple->source, tuple->source_port);
    return hash_address(h, &tuple->dest, tuple->dest_port) % FLOW_BUCKETS;
}

static bool same_tuple(const struct packet_tuple *a, const struct packet_tuple *b)
{
    _Static_assert(sizeof *a == 2 * (sizeof a->source + sizeof a->source_port),
                   "no padding, which memcmp() would see");
    return memcmp(a, b, sizeof *a) == 0;
}

static struct flow *find(const struct flows *flows, const struct packet_tuple *tuple)
{
    for (struct flow *flow = flows->buckets[bucket_of(flows, tuple)]; flow; flow = flow->next)
        if (same_tuple(&flow->tuple, tuple))
            return flow;
    return NULL;
}

static struct flow *alloc(struct flows *flows, const struct packet_tuple *tuple)
{
    struct flow *flow = table_take(&flows->table);
    if (!flow)
        return NULL;
    struct flow **bucket = &flows->buckets[bucket_of(flows, tuple)];
    flow->flows = flows;
    flow->tuple = *tuple;
    flow->fd = -EBADF;
    flow->next = *bucket;
    *bucket = flow;
    flows->worker->stats.counters.held++;
    return flow;
}

static void release(struct flow *flow)
{
    struct flows *flows = flow->flows;
    struct flow **place = &flows->buckets[bucket_of(flows, &flow->tuple)];
    while (*place != flow)
        place = &(*place)->next;
    *place = flow->next;
    loop_del(&flows->worker->loop, &flow->source);
    flow->fd = fd_close(flow->fd);
    flows->worker->stats.counters.held--;
    table_bury(&flows->worker->loop, flow);
}

static void answer_error(struct flows *flows, const struct packet_tuple *tuple,
                         enum icmp_reason reason, const uint8_t *data, size_t len)
{
    const struct policy *policy = flows->policy;
    struct icmp_quote quote = icmp_quote_of(data, len);
    const struct in6_addr *from =
        address_is_v4(&tuple->source) ? &policy->v4.gateway : &policy->v6.gateway;
    icmp_send_error(&flows->icmp, from, &tuple->source, reason, 0, &quote);
}

/* Tells the child what the host was told. */
static void answer_failure(struct flows *flows, const struct flow *flow, int code)
{
    const struct packet syn = {.kind = PACKET_SYN, .tuple = flow->tuple, .seq = flow->seq};
    uint8_t reset[PACKET_RESET_MAX];
    int reason = icmp_reason_of(code);
    stats_failed(&flows->worker->stats, STATS_OUTBOUND, code);
    if (code == ECONNREFUSED || code == ECONNRESET)
        (void)!write(flows->tun_fd, reset, packet_make_reset(&syn, reset));
    else if (reason >= 0) /* a timeout is silence, a shortage of ours a lost packet */
        answer_error(flows, &flow->tuple, (enum icmp_reason)reason, flow->syn, flow->syn_len);
}

static void inject(struct flow *flow)
{
    bool v4 = address_is_v4(&flow->tuple.source);
    flow->flows->injected = v4 ? &flow->flows->v4 : &flow->flows->v6;
    flow->state = FLOW_INJECTED;
    flow->deadline = clock_ms() + FLOW_ACCEPT_MS;
    loop_del(&flow->flows->worker->loop, &flow->source);
    (void)!write(flow->flows->tun_fd, flow->syn, flow->syn_len);
}

static void on_connected(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct flow *flow = loop_owner(source, struct flow, source);
    int code = 0;
    socklen_t len = sizeof code;
    if (getsockopt(flow->fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
        code = errno;
    if (code == 0) {
        inject(flow);
        return;
    }
    answer_failure(flow->flows, flow, code);
    release(flow);
}

/* Within one host the answer is there when connect(2) returns, but only a second call tells. */
static int connect_to(struct flow *flow, const struct in6_addr *to, uint8_t tos)
{
    struct sockaddr_storage address = address_to_socket(to, flow->tuple.dest_port);
    flow->fd = dial_socket(address.ss_family, SOCK_STREAM, address_is_loopback(to));
    if (flow->fd < 0)
        return flow->fd;
    if (tos > 0)
        dial_set_tos(flow->fd, address.ss_family, tos);
    int r = dial_connect(flow->fd, &address);
    return r == -EINPROGRESS ? dial_connect(flow->fd, &address) : r;
}

static void begin(struct flow *flow, uint8_t tos)
{
    struct flows *flows = flow->flows;
    struct in6_addr to;
    int r = policy_destination(flows->policy, &flow->tuple.dest, flow->tuple.dest_port, &to);
    if (r >= 0)
        r = connect_to(flow, &to, tos);
    if (r >= 0) {
        inject(flow);
        return;
    }
    if (r == -EALREADY || r == -EINPROGRESS)
        r = loop_add(&flows->worker->loop, &flow->source, flow->fd, EPOLLOUT, on_connected);
    if (r < 0) {
        answer_failure(flows, flow, -r);
        release(flow);
    }
}

/* Every place is taken, most likely by connects that nobody answers: the next in turn makes room
 * for the retry of who comes now, so that a black hole does not block the rest. */
static void evict(struct flows *flows)
{
    for (uint32_t i = 0; i <= flows->table.max; i++) {
        struct flow *flow = flows->evicted = table_next(&flows->table, flows->evicted);
        if (flow && flow->state == FLOW_CONNECTING) {
            stats_failed(&flows->worker->stats, STATS_OUTBOUND, ENOBUFS);
            release(flow);
            return;
        }
    }
}

static void on_syn(struct flows *flows, const struct packet *packet, const uint8_t *data,
                   size_t len)
{
    struct flow *flow = find(flows, &packet->tuple);
    bool known = flow != NULL;
    if (!policy_is_child(flows->policy, &packet->tuple.source))
        return; /* no answer would find it */
    if (!known)
        flow = alloc(flows, &packet->tuple);
    if (!flow) {
        evict(flows);
        return;
    }
    memcpy(flow->syn, data, len);
    flow->syn_len = (uint8_t)len;
    flow->seq = packet->seq;
    if (known) {
        if (flow->state == FLOW_INJECTED)
            (void)!write(flows->tun_fd, data, len);
        return;
    }
    flow->state = FLOW_CONNECTING;
    flow->deadline = clock_ms() + FLOW_CONNECT_MS;
    worker_timer_start(flows->worker, &flows->timer);
    begin(flow, packet->tos);
}

static void on_packet(struct flows *flows, const uint8_t *data, size_t len)
{
    /* It came only to be completed (rules.c). */
    if (packet_is_datagram(data, len)) {
        (void)!write(flows->tun_fd, data, len);
        return;
    }
    struct packet packet = packet_parse(data, len);
    switch (packet.kind) {
    case PACKET_SYN:
        on_syn(flows, &packet, data, len);
        return;
    case PACKET_OTHER:
        /* Not forwarded: say so at once instead of letting programs wait. */
        if (policy_is_child(flows->policy, &packet.tuple.source))
            answer_error(flows, &packet.tuple, ICMP_NO_PROTOCOL, data, len);
        return;
    case PACKET_TCP: /* of a connection that is no more */
    case PACKET_ICMP:
    case PACKET_BAD:
        return;
    }
}

static void on_tun(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct flows *flows = loop_owner(source, struct flows, tun);
    flows->injected = NULL;
    for (int i = 0; i < TUN_BATCH; i++) {
        ssize_t n = read(source->fd, flows->worker->buffer, WORKER_BUFFER);
        if (n <= 0)
            break;
        on_packet(flows, flows->worker->buffer, (size_t)n);
    }
    /* The write that brings a SYN back has shaken hands with the child when it returns. */
    if (flows->injected)
        listener_take(flows->injected);
}

static void join_accepted(struct flows *flows, int take_sock, const struct sockaddr_storage *peer)
{
    struct packet_tuple tuple;
    struct sockaddr_storage local = {0};
    socklen_t len = sizeof local;
    if (getsockname(take_sock, (struct sockaddr *)&local, &len) < 0) {
        relay_reset(take_sock);
        return;
    }
    tuple.source_port = address_of_socket(peer, &tuple.source);
    tuple.dest_port = address_of_socket(&local, &tuple.dest);
    struct flow *flow = find(flows, &tuple);
    if (!flow || flow->state != FLOW_INJECTED) {
        relay_reset(take_sock);
        return;
    }
    int host_fd = take_fd(&flow->fd);
    release(flow);
    (void)relay_join(flows->worker, take_sock, host_fd, 0);
}

static void on_accepted_v4(struct listener *listener, int take_sock,
                           const struct sockaddr_storage *peer)
{
    join_accepted(loop_owner(listener, struct flows, v4), take_sock, peer);
}

static void on_accepted_v6(struct listener *listener, int take_sock,
                           const struct sockaddr_storage *peer)
{
    join_accepted(loop_owner(listener, struct flows, v6), take_sock, peer);
}

static void on_tick(struct worker_timer *timer, int64_t now_ms)
{
    struct flows *flows = loop_owner(timer, struct flows, timer);
    struct flow *flow = NULL;
    bool waiting = false;
    while ((flow = table_next(&flows->table, flow))) {
        if (flow->deadline > now_ms) {
            waiting = true;
            continue;
        }
        stats_failed(&flows->worker->stats, STATS_OUTBOUND,
                     flow->state == FLOW_CONNECTING ? ETIMEDOUT : ECONNABORTED);
        release(flow);
    }
    if (!waiting)
        worker_timer_stop(timer);
}

/* Connects that nobody answers hold an fd each for minutes. */
static uint32_t max_flows(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 4 >= FLOWS_MAX)
        return FLOWS_MAX;
    return limit.rlim_cur < 8 ? 1 : (uint32_t)(limit.rlim_cur / 4);
}

static void put_held(struct stats_source *source, struct stats_sink *sink)
{
    const struct flows *flows = loop_owner(source, struct flows, stats);
    const struct flow *flow = NULL;
    int64_t now = clock_ms();
    while ((flow = table_next(&flows->table, flow))) {
        int64_t limit = flow->state == FLOW_CONNECTING ? FLOW_CONNECT_MS : FLOW_ACCEPT_MS;
        uint32_t age_s = (uint32_t)((now + limit - flow->deadline) / 1000);
        struct stats_record record = {
            .state = STATS_HELD,
            .child = flow->tuple.source,
            .child_port = flow->tuple.source_port,
            .remote = flow->tuple.dest,
            .remote_port = flow->tuple.dest_port,
            .age_s = age_s,
            .idle_s = age_s,
        };
        stats_put(sink, &record);
    }
}

int flows_init(struct flows *flows, struct worker *worker, const struct policy *policy,
               const struct place_gateway *place, struct err *err)
{
    *flows = (struct flows){.worker = worker,
                            .policy = policy,
                            .icmp = place->icmp,
                            .tun_fd = place->tun_fd,
                            .seed = hash_seed(),
                            .timer.fn = on_tick,
                            .stats.put = put_held};
    stats_join(&worker->stats, &flows->stats);
    int r = table_init(&flows->table, sizeof(struct flow), max_flows(), err);
    if (r < 0)
        return r;
    r = loop_add(&worker->loop, &flows->tun, place->tun_fd, EPOLLIN, on_tun);
    if (r >= 0)
        r = listener_start(&flows->v4, worker, place->v4.tcp_fd, on_accepted_v4);
    if (r >= 0 && place->ipv6)
        r = listener_start(&flows->v6, worker, place->v6.tcp_fd, on_accepted_v6);
    return r < 0 ? err_sys(err, -r, "cannot watch the gateway's sockets") : 0;
}
