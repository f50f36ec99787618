#include "rootlesskit/gateway/burst.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <string.h>

#include "lib/net/address.h"
#include "rootlesskit/gateway/table.h"
#include "rootlesskit/gateway/worker.h"

#ifndef SOL_UDP
#define SOL_UDP IPPROTO_UDP
#endif

/* Sent as one are datagrams that fit an Ethernet's frames: the kernel refuses longer ones there. */
#define SEGMENT_MAX 1472
#define ROOM (4 << 20)   /* what waits for its turn: as much of it as net.core.rmem_max allows */
#define JOINED_MAX 65507 /* what one IPv4 packet can hold */

/* Of what comes: pktinfo, the original destination, and four numbers. */
#define CONTROL_MAX                                                                     \
    (CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct sockaddr_in6)) + \
     4 * CMSG_SPACE(sizeof(int)))

union control {
    struct cmsghdr align;
    char space[CONTROL_MAX];
};

struct burst {
    struct mmsghdr in[BURST_MAX], out[BURST_MAX];
    struct iovec in_parts[BURST_MAX], out_parts[BURST_MAX];
    union control in_control[BURST_MAX], out_control[BURST_MAX];
    struct burst_piece pieces[BURST_MAX];
    size_t segment[BURST_MAX]; /* of out: 0 when it is one datagram a part */
    unsigned first[BURST_MAX]; /* of out: which of the asked pieces its first part is */
    struct burst_refusal refusals[BURST_MAX];
    unsigned n_refusals;
    struct burst_sent sent;
    unsigned char data[BURST_MAX][BURST_SIZE];
};

struct burst *burst_new(void)
{
    return table_reserve(sizeof(struct burst));
}

void burst_prepare(int fd, int family)
{
    const int on = 1, room = ROOM;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    /* IPv6 sockets may take IPv4 too. */
    (void)setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof on);
    if (family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof on);
    /* Linux 5.0; each comes by itself before. */
    (void)setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof on);
}

void burst_want_heads(int fd, int family)
{
    const int on = 1;
    if (family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, &on, sizeof on);
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof on);
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVFRAGSIZE, &on, sizeof on);
    } else {
        (void)setsockopt(fd, IPPROTO_IP, IP_RECVORIGDSTADDR, &on, sizeof on);
        (void)setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &on, sizeof on);
        (void)setsockopt(fd, IPPROTO_IP, IP_RECVFRAGSIZE, &on, sizeof on);
    }
}

const struct burst_piece *burst_piece(const struct burst *burst, unsigned i)
{
    return &burst->pieces[i];
}

static int number_of(const struct cmsghdr *c)
{
    int number;
    memcpy(&number, CMSG_DATA(c), sizeof number);
    return number;
}

static void read_v4(const struct cmsghdr *c, struct burst_piece *piece)
{
    if (c->cmsg_type == IP_PKTINFO) {
        struct in_pktinfo info;
        memcpy(&info, CMSG_DATA(c), sizeof info);
        piece->local = address_map(info.ipi_spec_dst);
    } else if (c->cmsg_type == IP_ORIGDSTADDR) {
        struct sockaddr_in dest;
        memcpy(&dest, CMSG_DATA(c), sizeof dest);
        piece->local = address_map(dest.sin_addr);
        piece->local_port = ntohs(dest.sin_port);
    } else if (c->cmsg_type == IP_TTL) {
        piece->hops = (uint8_t)number_of(c);
    } else if (c->cmsg_type == IP_TOS) {
        piece->tos = *CMSG_DATA(c); /* one byte, unlike the others */
    } else if (c->cmsg_type == IP_RECVFRAGSIZE) {
        piece->fragmented = true;
    }
}

static void read_v6(const struct cmsghdr *c, struct burst_piece *piece)
{
    if (c->cmsg_type == IPV6_PKTINFO) {
        struct in6_pktinfo info;
        memcpy(&info, CMSG_DATA(c), sizeof info);
        piece->local = info.ipi6_addr;
    } else if (c->cmsg_type == IPV6_ORIGDSTADDR) {
        struct sockaddr_in6 dest;
        memcpy(&dest, CMSG_DATA(c), sizeof dest);
        piece->local = dest.sin6_addr;
        piece->local_port = ntohs(dest.sin6_port);
    } else if (c->cmsg_type == IPV6_HOPLIMIT) {
        piece->hops = (uint8_t)number_of(c);
    } else if (c->cmsg_type == IPV6_TCLASS) {
        piece->tos = (uint8_t)number_of(c);
    } else if (c->cmsg_type == IPV6_RECVFRAGSIZE) {
        piece->fragmented = true;
    }
}

static void read_control(struct msghdr *msg, struct burst_piece *piece)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level == IPPROTO_IP) {
            read_v4(c, piece);
        } else if (c->cmsg_level == IPPROTO_IPV6) {
            read_v6(c, piece);
        } else if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
            int segment = number_of(c);
            piece->segment = segment > 0 ? (size_t)segment : 0;
        }
    }
    if (piece->segment >= piece->len)
        piece->segment = 0;
}

bool burst_is_waiting(int fd)
{
    uint8_t any;
    ssize_t n = recv(fd, &any, sizeof any, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN)
        n = recv(fd, &any, sizeof any, MSG_PEEK | MSG_DONTWAIT);
    return n >= 0;
}

int burst_receive(struct burst *burst, int fd)
{
    for (unsigned i = 0; i < BURST_MAX; i++) {
        burst->in_parts[i] = (struct iovec){.iov_base = burst->data[i], .iov_len = BURST_SIZE};
        burst->in[i].msg_hdr = (struct msghdr){
            .msg_name = &burst->pieces[i].from,
            .msg_namelen = sizeof burst->pieces[i].from,
            .msg_iov = &burst->in_parts[i],
            .msg_iovlen = 1,
            .msg_control = &burst->in_control[i],
            .msg_controllen = sizeof burst->in_control[i],
        };
    }
    int n = recvmmsg(fd, burst->in, BURST_MAX, MSG_DONTWAIT, NULL);
    if (n < 0)
        return -errno;
    for (int i = 0; i < n; i++) {
        struct burst_piece *piece = &burst->pieces[i];
        piece->data = burst->data[i];
        piece->len = burst->in[i].msg_len;
        piece->segment = 0;
        piece->tos = 0;
        piece->local = in6addr_any;
        piece->local_port = 0;
        piece->hops = 0;
        piece->fragmented = false;
        read_control(&burst->in[i].msg_hdr, piece);
    }
    return n;
}

/* How many of the next pieces can go as one: of one size, but the last may be shorter, and one type
 * of service. */
static unsigned span_of(const struct burst *burst, const uint8_t *which, unsigned n)
{
    const struct burst_piece *first = &burst->pieces[which[0]];
    size_t total = first->len;
    unsigned span = 1;
    if (first->segment > 0 || first->len == 0 || first->len > SEGMENT_MAX)
        return 1;
    while (span < n) {
        const struct burst_piece *next = &burst->pieces[which[span]];
        total += next->len;
        if (next->segment > 0 || next->len == 0 || next->len > first->len || total > JOINED_MAX ||
            next->tos != first->tos)
            break;
        span++;
        if (next->len < first->len)
            break;
    }
    return span;
}

static void *add_control(struct msghdr *msg, int level, int type, size_t len)
{
    struct cmsghdr *c = (struct cmsghdr *)(void *)((char *)msg->msg_control + msg->msg_controllen);
    *c = (struct cmsghdr){.cmsg_level = level, .cmsg_type = type, .cmsg_len = CMSG_LEN(len)};
    msg->msg_controllen += CMSG_SPACE(len);
    return CMSG_DATA(c);
}

static void put_local(struct msghdr *msg, const struct burst_route *route)
{
    if (IN6_IS_ADDR_UNSPECIFIED(&route->local))
        return;
    if (route->to.any.sa_family == AF_INET6) {
        struct in6_pktinfo info = {.ipi6_addr = route->local};
        memcpy(add_control(msg, IPPROTO_IPV6, IPV6_PKTINFO, sizeof info), &info, sizeof info);
    } else {
        struct in_pktinfo info = {0};
        memcpy(&info.ipi_spec_dst, &route->local.s6_addr[12], sizeof info.ipi_spec_dst);
        memcpy(add_control(msg, IPPROTO_IP, IP_PKTINFO, sizeof info), &info, sizeof info);
    }
}

/* An IPv6 socket's way to IPv4 is IPv4's. @param number  0: the socket's own */
static void put_number(struct msghdr *msg, const struct burst_route *route, int v4_type,
                       int v6_type, int number)
{
    bool v6 = route->to.any.sa_family == AF_INET6 &&
              !(route->to_len > 0 && IN6_IS_ADDR_V4MAPPED(&route->to.v6.sin6_addr));
    if (number > 0)
        memcpy(
            add_control(msg, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? v6_type : v4_type, sizeof number),
            &number, sizeof number);
}

static unsigned fill(struct burst *burst, struct burst_route *route, const uint8_t *which,
                     unsigned n)
{
    unsigned n_out = 0;
    for (unsigned i = 0, span; i < n; i += span, n_out++) {
        struct msghdr *msg = &burst->out[n_out].msg_hdr;
        span = span_of(burst, which + i, n - i);
        for (unsigned k = 0; k < span; k++) {
            const struct burst_piece *piece = &burst->pieces[which[i + k]];
            burst->out_parts[i + k] =
                (struct iovec){.iov_base = piece->data, .iov_len = piece->len};
        }
        *msg = (struct msghdr){
            .msg_name = route->to_len > 0 ? &route->to : NULL,
            .msg_namelen = route->to_len,
            .msg_iov = &burst->out_parts[i],
            .msg_iovlen = span,
            .msg_control = &burst->out_control[n_out],
        };
        burst->first[n_out] = i;
        const struct burst_piece *first = &burst->pieces[which[i]];
        put_local(msg, route);
        put_number(msg, route, IP_TTL, IPV6_HOPLIMIT, route->hops);
        put_number(msg, route, IP_TOS, IPV6_TCLASS, first->tos);
        burst->segment[n_out] = span > 1 ? first->len : first->segment;
        if (burst->segment[n_out] > 0) {
            uint16_t segment = (uint16_t)burst->segment[n_out];
            memcpy(add_control(msg, SOL_UDP, UDP_SEGMENT, sizeof segment), &segment,
                   sizeof segment);
        }
    }
    return n_out;
}

/* @return 0 or -errno, for good: what a datagram sent before had left behind is passed over */
static int send_one(int fd, const struct msghdr *like, struct iovec part, size_t control_len)
{
    struct msghdr msg = *like;
    msg.msg_iov = &part;
    msg.msg_iovlen = 1;
    msg.msg_controllen = control_len;
    for (int again = 1;; again--) {
        if (sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
            return 0;
        if (again == 0 || errno == EMSGSIZE || errno == EAGAIN || errno == ENOBUFS)
            return -errno;
        /* An answer cannot come from a broadcast or multicast address that was asked. */
        if (errno == EINVAL)
            msg.msg_controllen = 0;
    }
}

static uint32_t datagrams_in(size_t len, size_t segment)
{
    return segment > 0 && len > 0 ? (uint32_t)((len + segment - 1) / segment) : 1;
}

static bool is_full(int code)
{
    return code == EAGAIN || code == ENOBUFS;
}

/* @return 0 or the first -errno; no more of it is sent then */
static int send_segments(int fd, const struct msghdr *msg, struct iovec rest, size_t segment,
                         size_t control_len, struct burst_sent *sent)
{
    int r;
    do {
        struct iovec part = rest;
        if (segment > 0 && part.iov_len > segment)
            part.iov_len = segment;
        r = send_one(fd, msg, part, control_len);
        if (r == 0)
            sent->bytes += part.iov_len;
        else if (is_full(-r))
            sent->lost += datagrams_in(rest.iov_len, segment);
        rest.iov_base = (char *)rest.iov_base + part.iov_len;
        rest.iov_len -= part.iov_len;
    } while (r == 0 && rest.iov_len > 0);
    return r;
}

/* One by one: together they were refused (too long for the way, or an old kernel), or an earlier
 * datagram's error was reported in the place of sending. */
static void send_apart(struct burst *burst, int fd, unsigned i, const uint8_t *which)
{
    const struct msghdr *msg = &burst->out[i].msg_hdr;
    size_t segment = burst->segment[i];
    size_t control_len =
        msg->msg_controllen - (segment > 0 ? CMSG_SPACE(sizeof(uint16_t)) : (size_t)0);
    for (size_t k = 0; k < msg->msg_iovlen; k++) {
        int r = send_segments(fd, msg, msg->msg_iov[k], segment, control_len, &burst->sent);
        if (r < 0 && !is_full(-r))
            burst->refusals[burst->n_refusals++] =
                (struct burst_refusal){.piece = which[burst->first[i] + k], .code = r};
    }
}

static void count_lost(struct burst *burst, unsigned i)
{
    const struct msghdr *msg = &burst->out[i].msg_hdr;
    size_t segment = msg->msg_iovlen > 1 ? 0 : burst->segment[i];
    for (size_t k = 0; k < msg->msg_iovlen; k++)
        burst->sent.lost += datagrams_in(msg->msg_iov[k].iov_len, segment);
}

unsigned burst_send(struct burst *burst, int fd, const struct burst_route *route,
                    const uint8_t *which, unsigned n)
{
    struct burst_route to = *route;
    unsigned n_out = fill(burst, &to, which, n), done = 0;
    burst->n_refusals = 0;
    burst->sent = (struct burst_sent){0};
    while (done < n_out) {
        int r = sendmmsg(fd, burst->out + done, n_out - done, MSG_DONTWAIT | MSG_NOSIGNAL);
        for (int i = 0; i < r; i++)
            burst->sent.bytes += burst->out[done++].msg_len;
        if (r > 0)
            continue;
        if (is_full(errno))
            count_lost(burst, done);
        else
            send_apart(burst, fd, done, which);
        done++;
    }
    return burst->n_refusals;
}

const struct burst_refusal *burst_refusal(const struct burst *burst, unsigned i)
{
    return &burst->refusals[i];
}

struct burst_sent burst_sent(const struct burst *burst)
{
    return burst->sent;
}
