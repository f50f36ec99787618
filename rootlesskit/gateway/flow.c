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
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "rootlesskit/gateway/dial.h"
#include "rootlesskit/gateway/relay.h"

#define FLOW_CONNECT_MS 130000 /* a little more than the kernel's own limit (tcp_syn_retries 6) */
#define FLOW_ACCEPT_MS 20000
#define TUN_BATCH 64

static uint32_t bucket_of(const struct packet_tuple *tuple)
{
    uint32_t h = tuple->source.s_addr * 2654435761U ^ tuple->dest.s_addr * 2246822519U ^
                 ((uint32_t)tuple->source_port << 16 | tuple->dest_port) * 3266489917U;
    return (h ^ h >> 15) % FLOW_BUCKETS;
}

static bool same_tuple(const struct packet_tuple *a, const struct packet_tuple *b)
{
    return a->source.s_addr == b->source.s_addr && a->dest.s_addr == b->dest.s_addr &&
           a->source_port == b->source_port && a->dest_port == b->dest_port;
}

static struct flow *find(const struct flows *flows, const struct packet_tuple *tuple)
{
    for (struct flow *flow = flows->buckets[bucket_of(tuple)]; flow; flow = flow->next)
        if (same_tuple(&flow->tuple, tuple))
            return flow;
    return NULL;
}

static struct flow *alloc(struct flows *flows, const struct packet_tuple *tuple)
{
    struct flow *flow = flows->free;
    if (flow)
        flows->free = flow->next;
    else if (flows->used < FLOWS_MAX)
        flow = &flows->table[flows->used++];
    else
        return NULL;
    struct flow **bucket = &flows->buckets[bucket_of(tuple)];
    flow->flows = flows;
    flow->tuple = *tuple;
    flow->fd = -EBADF;
    flow->next = *bucket;
    *bucket = flow;
    return flow;
}

static void give_back(struct loop_grave *grave)
{
    struct flow *flow = loop_owner(grave, struct flow, grave);
    flow->next = flow->flows->free;
    flow->flows->free = flow;
}

static void release(struct flow *flow)
{
    struct flows *flows = flow->flows;
    struct flow **place = &flows->buckets[bucket_of(&flow->tuple)];
    while (*place != flow)
        place = &(*place)->next;
    *place = flow->next;
    loop_del(&flows->worker->loop, &flow->source);
    flow->fd = fd_close(flow->fd);
    flow->state = FLOW_FREE;
    flow->grave.free_fn = give_back;
    loop_bury(&flows->worker->loop, &flow->grave);
}

static bool in_network(const struct flow_policy *policy, struct in_addr ip)
{
    return (ip.s_addr & policy->mask.s_addr) == policy->network.s_addr;
}

int flow_destination(const struct flow_policy *policy, struct in_addr dest, struct in_addr *ret)
{
    uint32_t ip = ntohl(dest.s_addr);
    *ret = dest;
    if (dest.s_addr == policy->gateway_ip.s_addr) {
        ret->s_addr = htonl(INADDR_LOOPBACK);
        return policy->host_loopback ? 0 : -EACCES;
    }
    /* 0.0.0.0/8 means this host (RFC 6890), 127/8 its loopback, 224/3 is no single host. */
    bool refused =
        ip >> 24 == 0 || ip >> 24 == IN_LOOPBACKNET || ip >> 29 == 7 || in_network(policy, dest);
    return refused ? -EACCES : 0;
}

static void answer_unreachable(struct flows *flows, const uint8_t *data, size_t len, uint8_t code)
{
    uint8_t answer[PACKET_ANSWER_MAX];
    size_t n = packet_make_unreachable(data, len, flows->policy.gateway_ip, code, answer);
    if (n > 0)
        (void)!write(flows->tun_fd, answer, n);
}

static void answer_reset(struct flows *flows, const struct packet *syn)
{
    uint8_t answer[PACKET_ANSWER_MAX];
    size_t n = packet_make_reset(syn, answer);
    (void)!write(flows->tun_fd, answer, n);
}

/* Tells the child what the host was told. */
static void answer_failure(struct flows *flows, const struct flow *flow, int code)
{
    const struct packet syn = {.kind = PACKET_SYN, .tuple = flow->tuple, .seq = flow->seq};
    switch (code) {
    case ECONNREFUSED:
    case ECONNRESET:
        answer_reset(flows, &syn);
        return;
    case ENETUNREACH:
        answer_unreachable(flows, flow->syn, flow->syn_len, ICMP_NET_UNREACH);
        return;
    case EHOSTUNREACH:
    case EHOSTDOWN:
        answer_unreachable(flows, flow->syn, flow->syn_len, ICMP_HOST_UNREACH);
        return;
    case EACCES:
    case EPERM:
        answer_unreachable(flows, flow->syn, flow->syn_len, ICMP_PKT_FILTERED);
        return;
    default:
        return; /* a timeout is silence, a shortage of ours a lost packet */
    }
}

static void inject(struct flow *flow)
{
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

static int dial_host(struct in_addr ip, uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = ip};
    struct sockaddr_storage address = {0};
    memcpy(&address, &to, sizeof to);
    return dial(&address, SOCK_STREAM, ntohl(ip.s_addr) >> 24 == IN_LOOPBACKNET);
}

static void begin(struct flow *flow)
{
    struct flows *flows = flow->flows;
    struct in_addr to;
    int r = flow_destination(&flows->policy, flow->tuple.dest, &to);
    if (r >= 0)
        r = flow->fd = dial_host(to, flow->tuple.dest_port);
    if (r >= 0)
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
    for (uint32_t i = 0; i < FLOWS_MAX; i++) {
        struct flow *flow = &flows->table[flows->evict_next++ % FLOWS_MAX];
        if (flow->state == FLOW_CONNECTING) {
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
    begin(flow);
}

static void on_packet(struct flows *flows, const uint8_t *data, size_t len)
{
    struct packet packet = packet_parse(data, len);
    switch (packet.kind) {
    case PACKET_SYN:
        on_syn(flows, &packet, data, len);
        return;
    case PACKET_OTHER:
        /* Not forwarded: say so at once instead of letting programs wait. */
        answer_unreachable(flows, data, len, ICMP_PKT_FILTERED);
        return;
    case PACKET_TCP: /* of a connection that is no more */
    case PACKET_ICMP_ERR:
    case PACKET_BAD:
        return;
    }
}

static void on_tun(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct flows *flows = loop_owner(source, struct flows, tun);
    for (int i = 0; i < TUN_BATCH; i++) {
        ssize_t n = read(source->fd, flows->worker->buffer, WORKER_BUFFER);
        if (n <= 0)
            return;
        on_packet(flows, flows->worker->buffer, (size_t)n);
    }
}

static void on_accepted(struct listener *listener, int take_sock,
                        const struct sockaddr_storage *peer)
{
    struct flows *flows = loop_owner(listener, struct flows, listener);
    struct sockaddr_in from, to;
    socklen_t len = sizeof to;
    memcpy(&from, peer, sizeof from);
    if (getsockname(take_sock, (struct sockaddr *)&to, &len) < 0) {
        relay_reset(take_sock);
        return;
    }
    struct packet_tuple tuple = {
        .source = from.sin_addr,
        .dest = to.sin_addr,
        .source_port = ntohs(from.sin_port),
        .dest_port = ntohs(to.sin_port),
    };
    struct flow *flow = find(flows, &tuple);
    if (!flow || flow->state != FLOW_INJECTED) {
        relay_reset(take_sock);
        return;
    }
    int host_fd = take_fd(&flow->fd);
    release(flow);
    (void)relay_join(flows->worker, take_sock, host_fd, 0);
}

static void on_tick(struct worker_timer *timer, int64_t now_ms)
{
    struct flows *flows = loop_owner(timer, struct flows, timer);
    bool waiting = false;
    for (uint32_t i = 0; i < flows->used; i++) {
        struct flow *flow = &flows->table[i];
        if (flow->state == FLOW_FREE)
            continue;
        if (flow->deadline <= now_ms)
            release(flow);
        else
            waiting = true;
    }
    if (!waiting)
        worker_timer_stop(timer);
}

int flows_init(struct flows *flows, struct worker *worker, const struct flow_policy *policy,
               int tun_fd, int listen_fd, struct err *err)
{
    *flows =
        (struct flows){.worker = worker, .policy = *policy, .tun_fd = tun_fd, .timer.fn = on_tick};
    flows->table = worker_reserve(FLOWS_MAX * sizeof(struct flow));
    if (!flows->table)
        return err_set(err, ENOMEM, "no memory for connections");
    int r = loop_add(&worker->loop, &flows->tun, tun_fd, EPOLLIN, on_tun);
    if (r >= 0)
        r = listener_start(&flows->listener, worker, listen_fd, on_accepted);
    return r < 0 ? err_sys(err, -r, "cannot watch the gateway's sockets") : 0;
}
