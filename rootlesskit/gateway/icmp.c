#include "rootlesskit/gateway/icmp.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/net/address.h"
#include "rootlesskit/gateway/dial.h"
#include "rootlesskit/gateway/packet.h"

#define QUOTED 8       /* bytes behind the header, RFC 792 */
#define HOP_LIMIT 64   /* of a packet whose own is not known any more */
#define ROOM (1 << 20) /* of echo requests that wait: as much of it as net.core.rmem_max allows */

/* Of linux/icmp.h, which contradicts netinet/ip_icmp.h. */
#define ICMP_FILTER 1

static const struct kind {
    uint8_t type4, code4, type6, code6;
} kinds[] = {
    [ICMP_NO_ROUTE] = {ICMP_DEST_UNREACH, ICMP_NET_UNREACH, ICMP6_DST_UNREACH,
                       ICMP6_DST_UNREACH_NOROUTE},
    [ICMP_NO_HOST] = {ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, ICMP6_DST_UNREACH,
                      ICMP6_DST_UNREACH_ADDR},
    [ICMP_NO_PROTOCOL] = {ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, ICMP6_PARAM_PROB,
                          ICMP6_PARAMPROB_NEXTHEADER},
    [ICMP_NO_PORT] = {ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, ICMP6_DST_UNREACH,
                      ICMP6_DST_UNREACH_NOPORT},
    [ICMP_PROHIBITED] = {ICMP_DEST_UNREACH, ICMP_PKT_FILTERED, ICMP6_DST_UNREACH,
                         ICMP6_DST_UNREACH_ADMIN},
    [ICMP_TOO_BIG] = {ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, ICMP6_PACKET_TOO_BIG, 0},
    [ICMP_TIME_OVER] = {ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, ICMP6_TIME_EXCEEDED,
                        ICMP6_TIME_EXCEED_TRANSIT},
};

static int open_v4(struct err *err)
{
    const int on = 1, room = ROOM;
    const uint32_t but_echo = ~(1U << ICMP_ECHO);
    cleanup_close int fd = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMP);
    if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof on) < 0 ||
        setsockopt(fd, SOL_RAW, ICMP_FILTER, &but_echo, sizeof but_echo) < 0)
        return err_sys(err, errno, "cannot make an ICMP socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    return take_fd(&fd);
}

static int open_v6(struct err *err)
{
    const int on = 1, room = ROOM;
    struct icmp6_filter echo;
    ICMP6_FILTER_SETBLOCKALL(&echo);
    ICMP6_FILTER_SETPASS(ICMP6_ECHO_REQUEST, &echo);
    cleanup_close int fd =
        socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMPV6);
    if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof on) < 0 ||
        setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &echo, sizeof echo) < 0 ||
        setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on) < 0 ||
        setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof on) < 0 ||
        setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof on) < 0)
        return err_sys(err, errno, "cannot make an ICMPv6 socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    return take_fd(&fd);
}

int icmp_open(struct icmp_sockets *icmp, int family, struct err *err)
{
    int fd = family == AF_INET6 ? open_v6(err) : open_v4(err);
    if (family == AF_INET6)
        icmp->fd6 = fd;
    else
        icmp->fd4 = fd;
    return fd < 0 ? fd : 0;
}

int icmp_reason_of(int code)
{
    switch (code) {
    case ENETUNREACH:
    case ENONET:
        return ICMP_NO_ROUTE;
    case EHOSTUNREACH:
    case EHOSTDOWN:
        return ICMP_NO_HOST;
    case ECONNREFUSED:
        return ICMP_NO_PORT;
    case ENOPROTOOPT:
        return ICMP_NO_PROTOCOL;
    case EACCES:
    case EPERM:
        return ICMP_PROHIBITED;
    default:
        return -1;
    }
}

struct icmp_quote icmp_quote_make(const struct in6_addr *source, const struct in6_addr *dest,
                                  uint8_t protocol, const uint8_t head[8], size_t len)
{
    struct icmp_quote quote = {.len = 0};
    if (address_is_v4(source)) {
        size_t total = sizeof(struct iphdr) + len;
        struct iphdr ip = {
            .version = 4,
            .ihl = sizeof ip / 4,
            .tot_len = htons((uint16_t)(total > UINT16_MAX ? UINT16_MAX : total)),
            .frag_off = htons(IP_DF),
            .ttl = HOP_LIMIT,
            .protocol = protocol,
            .saddr = address_v4(source).s_addr,
            .daddr = address_v4(dest).s_addr,
        };
        ip.check = packet_checksum(&ip, sizeof ip, 0);
        memcpy(quote.data, &ip, sizeof ip);
        quote.len = sizeof ip;
    } else {
        struct ip6_hdr ip = {
            .ip6_flow = htonl(6U << 28),
            .ip6_plen = htons((uint16_t)(len > UINT16_MAX ? UINT16_MAX : len)),
            .ip6_nxt = protocol,
            .ip6_hlim = HOP_LIMIT,
            .ip6_src = *source,
            .ip6_dst = *dest,
        };
        memcpy(quote.data, &ip, sizeof ip);
        quote.len = sizeof ip;
    }
    memcpy(quote.data + quote.len, head, QUOTED);
    quote.len += QUOTED;
    return quote;
}

struct icmp_quote icmp_quote_of(const uint8_t *packet, size_t len)
{
    struct icmp_quote quote = {.len = 0};
    if (len == 0)
        return quote;
    size_t header = packet[0] >> 4 == 4 ? (size_t)(packet[0] & 0xf) * 4 : sizeof(struct ip6_hdr);
    quote.len = header + QUOTED < len ? header + QUOTED : len;
    memcpy(quote.data, packet, quote.len);
    return quote;
}

/* The kernel builds the packet's header from the source and the type of service. */
static size_t put_head(struct cmsghdr *c, const struct in6_addr *from, int tos)
{
    struct in_pktinfo v4 = {.ipi_spec_dst = address_v4(from)};
    struct in6_pktinfo v6 = {.ipi6_addr = *from};
    bool is_v4 = address_is_v4(from);
    size_t len = is_v4 ? sizeof v4 : sizeof v6;
    struct cmsghdr *second = (struct cmsghdr *)(void *)((char *)c + CMSG_SPACE(len));
    c->cmsg_level = second->cmsg_level = is_v4 ? IPPROTO_IP : IPPROTO_IPV6;
    c->cmsg_type = is_v4 ? IP_PKTINFO : IPV6_PKTINFO;
    c->cmsg_len = CMSG_LEN(len);
    memcpy(CMSG_DATA(c), is_v4 ? (const void *)&v4 : (const void *)&v6, len);
    second->cmsg_type = is_v4 ? IP_TOS : IPV6_TCLASS;
    second->cmsg_len = CMSG_LEN(sizeof tos);
    memcpy(CMSG_DATA(second), &tos, sizeof tos);
    return CMSG_SPACE(len) + CMSG_SPACE(sizeof tos);
}

void icmp_send(const struct icmp_sockets *icmp, const struct in6_addr *from,
               const struct in6_addr *to, uint8_t tos, void *message, size_t len)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int))];
    } control = {0};
    bool v4 = address_is_v4(to);
    struct sockaddr_storage name = address_to_socket(to, 0);
    struct iovec part = {.iov_base = message, .iov_len = len};
    struct msghdr msg = {.msg_name = &name,
                         .msg_namelen = dial_length(&name),
                         .msg_iov = &part,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = put_head(&control.align, from, tos)};
    struct icmphdr header;
    memcpy(&header, message, sizeof header);
    header.checksum = 0;
    memcpy(message, &header, sizeof header);
    header.checksum = packet_checksum(message, len, 0);
    if (v4) /* ICMPv6's covers addresses: the kernel's business */
        memcpy(message, &header, sizeof header);
    (void)sendmsg(v4 ? icmp->fd4 : icmp->fd6, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void icmp_send_error(const struct icmp_sockets *icmp, const struct in6_addr *from,
                     const struct in6_addr *to, enum icmp_reason reason, uint32_t mtu,
                     const struct icmp_quote *quote)
{
    const struct kind *kind = &kinds[reason];
    struct {
        struct icmphdr header;
        uint8_t quote[sizeof quote->data];
    } message = {0};
    bool v4 = address_is_v4(to);
    message.header.type = v4 ? kind->type4 : kind->type6;
    message.header.code = v4 ? kind->code4 : kind->code6;
    if (reason == ICMP_TOO_BIG && v4)
        message.header.un.frag.mtu = htons((uint16_t)(mtu > UINT16_MAX ? UINT16_MAX : mtu));
    else if (reason == ICMP_TOO_BIG)
        message.header.un.gateway = htonl(mtu);
    else if (reason == ICMP_NO_PROTOCOL && !v4)
        message.header.un.gateway = htonl(offsetof(struct ip6_hdr, ip6_nxt));
    memcpy(message.quote, quote->data, quote->len);
    icmp_send(icmp, from, to, 0, &message, sizeof message.header + quote->len);
}
