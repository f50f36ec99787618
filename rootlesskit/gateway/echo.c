#include "rootlesskit/gateway/echo.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/net/address.h"
#include "rootlesskit/gateway/burst.h"
#include "rootlesskit/gateway/dial.h"
#include "rootlesskit/gateway/errqueue.h"
#include "rootlesskit/gateway/hash.h"
#include "rootlesskit/gateway/hops.h"
#include "rootlesskit/gateway/many.h"
#include "rootlesskit/gateway/ping.h"
#include "rootlesskit/gateway/policy.h"

#define PACKETS_A_TURN 32

struct echo_flow {
    struct table_item item;
    struct echo *echo;
    struct loop_source source;
    struct recent_link recent;
    struct echo_flow *next; /* in its bucket */
    struct in6_addr child;
    uint16_t id;                  /* the child's; the socket has one of its own */
    struct in6_addr remote, host; /* who was asked last: as the child sees it, and as it is */
    uint64_t bytes[STATS_WAYS];
    uint32_t opened_s;
    uint8_t hops, tos;
    bool whole;
    int fd;
};

static struct echo_flow **bucket_of(struct echo *echo, const struct in6_addr *child, uint16_t id)
{
    return &echo->buckets[hash_address(echo->seed, child, id) % ECHO_BUCKETS];
}

static const struct policy_network *side_of(const struct echo *echo, const struct in6_addr *of)
{
    return address_is_v4(of) ? &echo->policy->v4 : &echo->policy->v6;
}

/* --- flows */

static void release(struct echo *echo, struct echo_flow *flow)
{
    struct echo_flow **place = bucket_of(echo, &flow->child, flow->id);
    while (*place != flow)
        place = &(*place)->next;
    *place = flow->next;
    recent_remove(&echo->by_use, &flow->recent);
    loop_del(&echo->worker->loop, &flow->source);
    flow->fd = fd_close(flow->fd);
    echo->worker->stats.counters.closed[STATS_ICMP][STATS_OUTBOUND]++;
    table_give(flow);
}

/* A reply that waits on the socket would be lost with it. */
static bool is_busy(struct recent_link *link)
{
    return burst_is_waiting(recent_owner(link, struct echo_flow, recent)->fd);
}

/* Ends the one used longest ago, if there is one. */
static bool make_room(struct echo *echo)
{
    struct recent_link *oldest = recent_spare(&echo->by_use, is_busy, clock_ms());
    if (oldest)
        release(echo, recent_owner(oldest, struct echo_flow, recent));
    return oldest != NULL;
}

static struct echo_flow *find(struct echo *echo, const struct in6_addr *child, uint16_t id)
{
    struct echo_flow *flow = *bucket_of(echo, child, id);
    while (flow && (flow->id != id || !address_equal(&flow->child, child)))
        flow = flow->next;
    return flow;
}

static void set_number(int fd, int family, int v4_option, int v6_option, int v4, int v6)
{
    if (family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, v6_option, &v6, sizeof v6);
    else
        (void)setsockopt(fd, IPPROTO_IP, v4_option, &v4, sizeof v4);
}

static int open_ping(int family)
{
    const int on = 1;
    int protocol = family == AF_INET6 ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP;
    cleanup_close int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    if (fd < 0)
        return -errno;
    int r = errqueue_enable(fd, family);
    if (r < 0)
        return r;
    dial_keep_whole(fd, family, true);
    (void)setsockopt(fd, family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP,
                     family == AF_INET6 ? IPV6_RECVTCLASS : IP_RECVTOS, &on, sizeof on);
    return take_fd(&fd);
}

static void on_host(struct loop_source *source, uint32_t events);

static int make(struct echo *echo, const struct ping *ping, struct echo_flow **ret)
{
    int fd = open_ping(address_family(&ping->child));
    if ((fd == -EMFILE || fd == -ENFILE) && make_room(echo))
        fd = open_ping(address_family(&ping->child));
    if (fd < 0)
        return fd;
    struct echo_flow *flow = table_take(&echo->flows);
    if (!flow && make_room(echo))
        flow = table_take(&echo->flows);
    int r = flow ? loop_add(&echo->worker->loop, &flow->source, fd, EPOLLIN, on_host) : -ENOBUFS;
    if (r < 0) {
        fd_close(fd);
        table_give(flow);
        return r;
    }
    struct echo_flow **bucket = bucket_of(echo, &ping->child, ping->id);
    flow->echo = echo;
    flow->child = ping->child;
    flow->id = ping->id;
    flow->whole = true;
    flow->fd = fd;
    flow->opened_s = stats_now_s();
    echo->worker->stats.counters.opened[STATS_ICMP][STATS_OUTBOUND]++;
    flow->next = *bucket;
    *bucket = flow;
    recent_add(&echo->by_use, &flow->recent, clock_ms());
    worker_timer_start(echo->worker, &echo->timer);
    *ret = flow;
    return 0;
}

/* --- what the child is told */

/* As an error quotes it, with what is left of its header where only that is known. */
static struct icmp_quote quote_of(const struct in6_addr *child, const struct in6_addr *dest,
                                  const uint8_t head[PING_HEADER], size_t len)
{
    uint8_t protocol = address_is_v4(child) ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    return icmp_quote_make(child, dest, protocol, head, len);
}

static void tell(const struct echo *echo, const struct ping *ping, enum icmp_reason reason,
                 uint32_t mtu)
{
    struct icmp_quote quote = quote_of(&ping->child, &ping->dest, ping->message, ping->len);
    icmp_send_error(&echo->icmp, &side_of(echo, &ping->child)->gateway, &ping->child, reason, mtu,
                    &quote);
}

static void tell_failure(const struct echo *echo, const struct ping *ping, int code)
{
    int reason = icmp_reason_of(-code);
    stats_dropped(&echo->worker->stats, STATS_OUTBOUND, -code, 1);
    if (reason >= 0)
        tell(echo, ping, (enum icmp_reason)reason, 0);
}

/* The kernel keeps what routers quote of the request, which the host's id is in. */
static void pass_error_on(const struct echo_flow *flow, const struct errqueue_error *error)
{
    const struct echo *echo = flow->echo;
    bool v4 = address_is_v4(&flow->child);
    uint8_t head[PING_HEADER] = {0};
    struct in6_addr dest, from;
    if (policy_origin(echo->policy, &error->dest, &dest) < 0)
        return;
    if (policy_origin(echo->policy, &error->offender, &from) < 0)
        from = side_of(echo, &flow->child)->gateway;
    memcpy(head, error->head, error->head_len);
    ping_make_reply(head, v4, flow->id);
    head[0] = v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
    struct icmp_quote quote = quote_of(&flow->child, &dest, head, PING_HEADER);
    icmp_send_error(&echo->icmp, &from, &flow->child, error->reason, error->mtu, &quote);
}

/* @return the path's MTU when sending was refused for it, else 0 */
static uint32_t read_errors(const struct echo_flow *flow)
{
    struct errqueue_error error;
    uint32_t mtu = 0;
    for (unsigned i = 0; i < PACKETS_A_TURN && errqueue_next(flow->fd, &error); i++) {
        if (!error.local)
            pass_error_on(flow, &error);
        else if (error.reason == ICMP_TOO_BIG)
            mtu = error.mtu;
    }
    return mtu;
}

/* --- from the child */

static int send_on(const struct echo_flow *flow, const struct ping *ping,
                   const struct sockaddr_storage *to)
{
    for (int again = 1;; again--) {
        if (sendto(flow->fd, ping->message, ping->len, MSG_DONTWAIT | MSG_NOSIGNAL,
                   (const struct sockaddr *)to, dial_length(to)) >= 0)
            return 0;
        /* The first may be what an earlier one has left behind. */
        if (again == 0 || errno == EMSGSIZE)
            return -errno;
    }
}

static void prepare(struct echo_flow *flow, const struct ping *ping)
{
    int family = address_family(&flow->child);
    uint8_t hops = hops_onward(ping->hops);
    if (flow->hops != hops)
        set_number(flow->fd, family, IP_TTL, IPV6_UNICAST_HOPS, hops > 0 ? hops : -1,
                   hops > 0 ? hops : -1);
    if (flow->tos != ping->tos)
        dial_set_tos(flow->fd, family, ping->tos);
    if (flow->whole != ping->whole)
        dial_keep_whole(flow->fd, family, ping->whole);
    flow->hops = hops;
    flow->tos = ping->tos;
    flow->whole = ping->whole;
}

/* @param len  of the message */
static void count(struct echo_flow *flow, enum stats_way way, size_t len)
{
    uint64_t n = len - PING_HEADER;
    flow->bytes[way] += n;
    flow->echo->worker->stats.counters.bytes[STATS_ICMP][STATS_OUTBOUND][way] += n;
}

/* A datagram that must not be cut is refused, as a router would: asking for the path's MTU is what
 * such a ping is for. */
static void relay(struct echo *echo, const struct ping *ping, const struct in6_addr *host)
{
    struct sockaddr_storage to = address_to_socket(host, 0);
    struct echo_flow *flow = find(echo, &ping->child, ping->id);
    int r = flow ? 0 : make(echo, ping, &flow);
    if (r == 0) {
        recent_touch(&echo->by_use, &flow->recent, clock_ms());
        prepare(flow, ping);
        r = send_on(flow, ping, &to);
        flow->remote = ping->dest;
        flow->host = *host;
    }
    if (r == 0)
        count(flow, STATS_SENT, ping->len);
    uint32_t mtu = r == -EMSGSIZE ? read_errors(flow) : 0;
    if (mtu > 0)
        tell(echo, ping, ICMP_TOO_BIG, mtu);
    else if (r < 0)
        tell_failure(echo, ping, r);
}

static void answer(const struct echo *echo, const struct ping *ping)
{
    ping_make_reply(ping->message, address_is_v4(&ping->child), ping->id);
    icmp_send(&echo->icmp, &ping->dest, &ping->child, ping->tos, ping->message, ping->len);
}

static void serve(struct echo *echo, const struct ping *ping)
{
    const struct policy_network *side = side_of(echo, &ping->child);
    struct in6_addr host;
    if (!policy_is_child(echo->policy, &ping->child) || many_hosts(echo->policy, &ping->dest))
        return;
    if (address_equal(&ping->dest, &side->gateway) || address_equal(&ping->dest, &side->dns)) {
        answer(echo, ping);
        return;
    }
    if (ping->hops == 1) {
        tell(echo, ping, ICMP_TIME_OVER, 0);
        return;
    }
    int r = policy_destination(echo->policy, &ping->dest, 0, &host);
    if (r < 0)
        tell_failure(echo, ping, r);
    else
        relay(echo, ping, &host);
}

static void on_request_v4(struct loop_source *source, uint32_t events)
{
    struct echo *echo = loop_owner(source, struct echo, v4);
    struct ping ping = {0};
    (void)events;
    for (unsigned i = 0; i < PACKETS_A_TURN; i++) {
        ssize_t n = recv(source->fd, echo->worker->buffer, WORKER_BUFFER, MSG_DONTWAIT);
        if (n < 0)
            return;
        if (ping_read_v4(echo->worker->buffer, (size_t)n, &ping))
            serve(echo, &ping);
    }
}

static void read_control(struct msghdr *msg, struct ping *ping)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != IPPROTO_IPV6)
            continue;
        if (c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            ping->dest = info.ipi6_addr;
        } else if (c->cmsg_type == IPV6_HOPLIMIT) {
            int hops;
            memcpy(&hops, CMSG_DATA(c), sizeof hops);
            ping->hops = (uint8_t)hops;
        } else if (c->cmsg_type == IPV6_TCLASS) {
            int tos;
            memcpy(&tos, CMSG_DATA(c), sizeof tos);
            ping->tos = (uint8_t)tos;
        } else if (c->cmsg_type == IPV6_RECVFRAGSIZE) {
            ping->whole = false;
        }
    }
}

/* @return false: nothing is there */
static bool receive_v6(struct echo *echo, int fd)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(struct in6_pktinfo)) + 3 * CMSG_SPACE(sizeof(int))];
    } control;
    struct sockaddr_storage from = {0};
    struct iovec part = {.iov_base = echo->worker->buffer, .iov_len = WORKER_BUFFER};
    struct msghdr msg = {.msg_name = &from,
                         .msg_namelen = sizeof from,
                         .msg_iov = &part,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof control};
    struct ping ping = {.whole = true};
    ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);
    if (n < 0)
        return false;
    read_control(&msg, &ping);
    (void)address_of_socket(&from, &ping.child);
    if (ping_read_v6(echo->worker->buffer, (size_t)n, &ping))
        serve(echo, &ping);
    return true;
}

static void on_request_v6(struct loop_source *source, uint32_t events)
{
    struct echo *echo = loop_owner(source, struct echo, v6);
    (void)events;
    for (unsigned i = 0; i < PACKETS_A_TURN && receive_v6(echo, source->fd); i++)
        ;
}

/* --- from the host */

/* All that the kernel tells of a reply. */
static uint8_t tos_of(struct msghdr *msg)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(msg);
    int tos = 0;
    if (c && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS)
        return *CMSG_DATA(c); /* one byte, unlike IPv6's */
    if (c && c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)
        memcpy(&tos, CMSG_DATA(c), sizeof tos);
    return (uint8_t)tos;
}

static bool receive_reply(struct echo_flow *flow)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct echo *echo = flow->echo;
    unsigned char *message = echo->worker->buffer;
    struct sockaddr_storage socket = {0};
    struct in6_addr host, from;
    struct iovec part = {.iov_base = message, .iov_len = WORKER_BUFFER};
    struct msghdr msg = {.msg_name = &socket,
                         .msg_namelen = sizeof socket,
                         .msg_iov = &part,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof control};
    ssize_t n = recvmsg(flow->fd, &msg, MSG_DONTWAIT);
    if (n < PING_HEADER)
        return n >= 0;
    (void)address_of_socket(&socket, &host);
    if (policy_origin(echo->policy, &host, &from) < 0)
        return true;
    ping_make_reply(message, address_is_v4(&flow->child), flow->id);
    icmp_send(&echo->icmp, &from, &flow->child, tos_of(&msg), message, (size_t)n);
    count(flow, STATS_RECEIVED, (size_t)n);
    recent_touch(&echo->by_use, &flow->recent, clock_ms());
    return true;
}

static void on_host(struct loop_source *source, uint32_t events)
{
    struct echo_flow *flow = loop_owner(source, struct echo_flow, source);
    if (events & EPOLLERR)
        (void)read_errors(flow);
    for (unsigned i = 0; i < PACKETS_A_TURN && receive_reply(flow); i++)
        ;
}

static void on_tick(struct worker_timer *timer, int64_t now_ms)
{
    struct echo *echo = loop_owner(timer, struct echo, timer);
    struct recent_link *link;
    while ((link = recent_idle(&echo->by_use, ECHO_IDLE_MS, is_busy, now_ms)))
        release(echo, recent_owner(link, struct echo_flow, recent));
    if (!echo->by_use.oldest)
        worker_timer_stop(timer);
}

static void put_flows(struct stats_source *source, struct stats_sink *sink)
{
    const struct echo *echo = loop_owner(source, struct echo, stats);
    int64_t now_ms = clock_ms();
    for (struct recent_link *link = echo->by_use.oldest; link; link = link->newer) {
        const struct echo_flow *flow = recent_owner(link, struct echo_flow, recent);
        struct stats_record record = {
            .proto = STATS_ICMP,
            .direction = STATS_OUTBOUND,
            .state = STATS_OPEN,
            .child = flow->child,
            .child_port = flow->id,
            .remote = flow->remote,
            .age_s = stats_now_s() - flow->opened_s,
            .idle_s = (uint32_t)((now_ms - link->used_ms) / 1000),
        };
        if (!address_equal(&flow->host, &flow->remote))
            record.dialled = flow->host;
        memcpy(record.bytes, flow->bytes, sizeof record.bytes);
        stats_put(sink, &record);
    }
}

static int watch(struct echo *echo)
{
    const int on = 1;
    int r = loop_add(&echo->worker->loop, &echo->v4, echo->icmp.fd4, EPOLLIN, on_request_v4);
    if (r < 0 || echo->icmp.fd6 < 0)
        return r;
    (void)setsockopt(echo->icmp.fd6, IPPROTO_IPV6, IPV6_RECVFRAGSIZE, &on, sizeof on);
    return loop_add(&echo->worker->loop, &echo->v6, echo->icmp.fd6, EPOLLIN, on_request_v6);
}

int echo_init(struct echo *echo, struct worker *worker, const struct policy *policy,
              const struct icmp_sockets *icmp, uint32_t fds, struct err *err)
{
    *echo = (struct echo){.worker = worker, .policy = policy, .icmp = *icmp, .timer.fn = on_tick};
    int r = table_init(&echo->flows, sizeof(struct echo_flow),
                       fds < ECHO_FLOWS ? fds + 1 : ECHO_FLOWS, err);
    if (r < 0)
        return r;
    echo->seed = hash_seed();
    echo->stats.put = put_flows;
    stats_join(&worker->stats, &echo->stats);
    r = watch(echo);
    return r < 0 ? err_sys(err, -r, "cannot watch the ICMP sockets") : 0;
}
