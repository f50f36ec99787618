#include "rootlesskit/gateway/errqueue.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "lib/net/address.h"

#define NOTHING (-1)
#define V4_CODES 16 /* of destination unreachable */

/* RFC 792; RFC 1122, 3.2.2.1; RFC 1812, 5.2.7.1 */
static const int8_t unreachable_v4[V4_CODES] = {
    [ICMP_NET_UNREACH] = ICMP_NO_ROUTE,      [ICMP_HOST_UNREACH] = ICMP_NO_HOST,
    [ICMP_PROT_UNREACH] = ICMP_NO_PROTOCOL,  [ICMP_PORT_UNREACH] = ICMP_NO_PORT,
    [ICMP_FRAG_NEEDED] = ICMP_TOO_BIG,       [ICMP_SR_FAILED] = ICMP_NO_ROUTE,
    [ICMP_NET_UNKNOWN] = ICMP_NO_ROUTE,      [ICMP_HOST_UNKNOWN] = ICMP_NO_HOST,
    [ICMP_HOST_ISOLATED] = ICMP_NO_HOST,     [ICMP_NET_ANO] = ICMP_PROHIBITED,
    [ICMP_HOST_ANO] = ICMP_PROHIBITED,       [ICMP_NET_UNR_TOS] = ICMP_NO_ROUTE,
    [ICMP_HOST_UNR_TOS] = ICMP_NO_HOST,      [ICMP_PKT_FILTERED] = ICMP_PROHIBITED,
    [ICMP_PREC_VIOLATION] = ICMP_PROHIBITED, [ICMP_PREC_CUTOFF] = ICMP_PROHIBITED,
};

static int reason_v4(uint8_t type, uint8_t code)
{
    if (type == ICMP_DEST_UNREACH && code < V4_CODES)
        return unreachable_v4[code];
    return type == ICMP_TIME_EXCEEDED && code == ICMP_EXC_TTL ? (int)ICMP_TIME_OVER : NOTHING;
}

/* RFC 4443, 3.1 */
static int unreachable_v6(uint8_t code)
{
    switch (code) {
    case ICMP6_DST_UNREACH_NOROUTE:
    case ICMP6_DST_UNREACH_BEYONDSCOPE:
        return ICMP_NO_ROUTE;
    case ICMP6_DST_UNREACH_ADDR:
        return ICMP_NO_HOST;
    case ICMP6_DST_UNREACH_NOPORT:
        return ICMP_NO_PORT;
    default:
        return ICMP_PROHIBITED;
    }
}

static int reason_v6(uint8_t type, uint8_t code)
{
    switch (type) {
    case ICMP6_DST_UNREACH:
        return unreachable_v6(code);
    case ICMP6_PACKET_TOO_BIG:
        return ICMP_TOO_BIG;
    case ICMP6_TIME_EXCEEDED:
        return code == ICMP6_TIME_EXCEED_TRANSIT ? (int)ICMP_TIME_OVER : NOTHING;
    case ICMP6_PARAM_PROB:
        return code == ICMP6_PARAMPROB_NEXTHEADER ? (int)ICMP_NO_PROTOCOL : NOTHING;
    default:
        return NOTHING;
    }
}

static int reason_of(const struct sock_extended_err *error)
{
    switch (error->ee_origin) {
    case SO_EE_ORIGIN_ICMP:
        return reason_v4(error->ee_type, error->ee_code);
    case SO_EE_ORIGIN_ICMP6:
        return reason_v6(error->ee_type, error->ee_code);
    case SO_EE_ORIGIN_LOCAL:
        return error->ee_errno == EMSGSIZE ? (int)ICMP_TOO_BIG
                                           : icmp_reason_of((int)error->ee_errno);
    default:
        return NOTHING;
    }
}

/* @param len  bytes that are there */
static uint16_t read_address(const void *address, size_t len, struct in6_addr *ret)
{
    struct sockaddr_storage copy = {0};
    memcpy(&copy, address, len < sizeof copy ? len : sizeof copy);
    *ret = in6addr_any;
    if (len >= sizeof(struct sockaddr_in) && copy.ss_family == AF_INET)
        return address_of_socket(&copy, ret);
    if (len >= sizeof(struct sockaddr_in6) && copy.ss_family == AF_INET6)
        return address_of_socket(&copy, ret);
    return 0;
}

static bool read_error(const struct cmsghdr *c, struct errqueue_error *ret)
{
    struct sock_extended_err error;
    size_t len = c->cmsg_len - CMSG_LEN(0);
    if (c->cmsg_len < CMSG_LEN(sizeof error))
        return false;
    memcpy(&error, CMSG_DATA(c), sizeof error);
    int reason = reason_of(&error);
    if (reason < 0)
        return false;
    ret->reason = (enum icmp_reason)reason;
    ret->mtu = error.ee_info;
    ret->local = error.ee_origin == SO_EE_ORIGIN_LOCAL;
    (void)read_address(CMSG_DATA(c) + sizeof error, len - sizeof error, &ret->offender);
    return true;
}

static bool is_error(const struct msghdr *msg, const struct cmsghdr *c)
{
    size_t rest = msg->msg_controllen - (size_t)((const char *)c - (const char *)msg->msg_control);
    return c->cmsg_len <= rest && ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
                                   (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR));
}

bool errqueue_parse(struct msghdr *msg, size_t len, struct errqueue_error *ret)
{
    bool found = false;
    *ret = (struct errqueue_error){.head_len = len < ERRQUEUE_HEAD ? len : ERRQUEUE_HEAD};
    if (ret->head_len > 0)
        memcpy(ret->head, msg->msg_iov[0].iov_base, ret->head_len);
    ret->port = read_address(msg->msg_name, msg->msg_namelen, &ret->dest);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c && !found; c = CMSG_NXTHDR(msg, c))
        if (is_error(msg, c))
            found = read_error(c, ret);
    return found;
}

bool errqueue_next(int fd, struct errqueue_error *ret)
{
    for (;;) {
        union {
            struct cmsghdr align;
            char space[256];
        } control;
        struct sockaddr_storage name;
        uint8_t head[ERRQUEUE_HEAD];
        struct iovec part = {.iov_base = head, .iov_len = sizeof head};
        struct msghdr msg = {.msg_name = &name,
                             .msg_namelen = sizeof name,
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
        ssize_t n = recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT);
        if (n < 0)
            return false;
        if (errqueue_parse(&msg, (size_t)n, ret))
            return true;
    }
}

int errqueue_enable(int fd, int family)
{
    const int on = 1;
    int r = family == AF_INET6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on)
                               : setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on);
    return r < 0 ? -errno : 0;
}
