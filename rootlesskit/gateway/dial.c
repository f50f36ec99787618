#include "rootlesskit/gateway/dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "lib/base/fd.h"

socklen_t dial_length(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                          : sizeof(struct sockaddr_in);
}

static void set_stream_options(int fd, bool local)
{
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
    if (local)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
    else /* the one end's own probes are answered by the other side of us */
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

int dial_socket(int family, int type, bool local)
{
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (type == SOCK_STREAM)
        set_stream_options(fd, local);
    return fd;
}

int dial_connect(int fd, const struct sockaddr_storage *to)
{
    return connect(fd, (const struct sockaddr *)to, dial_length(to)) < 0 ? -errno : 0;
}

int dial(const struct sockaddr_storage *to, int type, bool local)
{
    cleanup_close int fd = dial_socket(to->ss_family, type, local);
    if (fd < 0)
        return fd;
    int r = dial_connect(fd, to);
    return r < 0 && r != -EINPROGRESS ? r : take_fd(&fd);
}

void dial_set_tos(int fd, int family, uint8_t tos)
{
    const int number = tos;
    bool v6 = family == AF_INET6;
    (void)setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TCLASS : IP_TOS, &number,
                     sizeof number);
}

void dial_keep_whole(int fd, int family, bool whole)
{
    int v4 = whole ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT;
    int v6 = whole ? IPV6_PMTUDISC_DO : IPV6_PMTUDISC_DONT;
    if (family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &v6, sizeof v6);
    else
        (void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &v4, sizeof v4);
}
