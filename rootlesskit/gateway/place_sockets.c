#include "rootlesskit/gateway/place_sockets.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/net/address.h"
#include "rootlesskit/gateway/burst.h"
#include "rootlesskit/gateway/dial.h"

#define DNS_PORT 53

static int set_transparent(int fd, bool v4)
{
    const int on = 1;
    return v4 ? setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof on)
              : setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof on);
}

static int bind_to(const struct in6_addr *ip, uint16_t port, int type, bool transparent,
                   struct err *err)
{
    const struct sockaddr_storage address = address_to_socket(ip, port);
    cleanup_close int fd = socket(address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_sys(err, errno, "cannot make a socket in the gateway namespace");
    if (transparent && set_transparent(fd, address_is_v4(ip)) < 0)
        return err_sys(err, errno, "cannot make a transparent socket");
    if (bind(fd, (const struct sockaddr *)&address, dial_length(&address)) < 0)
        return err_sys(err, errno, "cannot bind port %u in the gateway namespace", port);
    return take_fd(&fd);
}

/* Accepted sockets inherit all three options; one that began with a pacing congestion control would
 * keep pacing. Their peer is the child, across a veth. */
static int listen_on(const struct in6_addr *ip, uint16_t port, bool transparent, struct err *err)
{
    const int on = 1;
    cleanup_close int fd = bind_to(ip, port, SOCK_STREAM, transparent, err);
    if (fd < 0)
        return fd;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
    if (listen(fd, SOMAXCONN) < 0)
        return err_sys(err, errno, "cannot listen on port %u in the gateway namespace", port);
    return take_fd(&fd);
}

static int receive_from(const struct in6_addr *ip, struct err *err)
{
    const int on = 1;
    bool v4 = address_is_v4(ip);
    int level = v4 ? IPPROTO_IP : IPPROTO_IPV6;
    cleanup_close int fd = bind_to(ip, 0, SOCK_DGRAM, true, err);
    if (fd < 0)
        return fd;
    if (setsockopt(fd, level, v4 ? IP_RECVORIGDSTADDR : IPV6_RECVORIGDSTADDR, &on, sizeof on) < 0 ||
        setsockopt(fd, level, v4 ? IP_RECVTTL : IPV6_RECVHOPLIMIT, &on, sizeof on) < 0)
        return err_sys(err, errno, "cannot prepare a datagram socket");
    burst_prepare(fd, address_family(ip));
    return take_fd(&fd);
}

static int port_of(int fd, uint16_t *ret, struct err *err)
{
    struct sockaddr_storage bound = {0};
    struct in6_addr ip;
    socklen_t len = sizeof bound;
    if (getsockname(fd, (struct sockaddr *)&bound, &len) < 0)
        return err_sys(err, errno, "cannot read a socket's address");
    *ret = address_of_socket(&bound, &ip);
    return 0;
}

/* Bound to the loopback address, not to any: a wildcard would match every new connection to its
 * port, and no packet of the child's may have a loopback address. */
int place_open_sockets(struct place_sockets *ret, const struct in6_addr *dns, struct err *err)
{
    const struct in_addr v4 = {.s_addr = htonl(INADDR_LOOPBACK)};
    const struct in6_addr loopback = address_is_v4(dns) ? address_map(v4) : in6addr_loopback;
    int r = ret->tcp_fd = listen_on(&loopback, 0, true, err);
    if (r >= 0)
        r = ret->udp_fd = receive_from(&loopback, err);
    if (r >= 0)
        r = port_of(ret->tcp_fd, &ret->tcp_port, err);
    if (r >= 0)
        r = port_of(ret->udp_fd, &ret->udp_port, err);
    if (r >= 0)
        r = ret->dns_udp_fd = bind_to(dns, DNS_PORT, SOCK_DGRAM, false, err);
    if (r >= 0)
        r = ret->dns_tcp_fd = listen_on(dns, DNS_PORT, false, err);
    return r < 0 ? r : 0;
}
