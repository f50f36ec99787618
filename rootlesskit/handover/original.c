#include "rootlesskit/handover/original.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fd.h"
#include "lib/net/address.h"

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72 /* Linux 5.14; both buffers' sizes below */
#endif
#define SEND_LOCKED 1
#define RECEIVE_LOCKED 2

static int option(int fd, int level, int name)
{
    int value = 0;
    socklen_t len = sizeof value;
    return getsockopt(fd, level, name, &value, &len) < 0 ? -errno : value;
}

static bool is_stream(const struct original *original)
{
    int proto = option(original->fd, SOL_SOCKET, SO_PROTOCOL);
    return (original->family == AF_INET || original->family == AF_INET6) &&
           option(original->fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM &&
           (proto == IPPROTO_TCP || proto == IPPROTO_MPTCP /* Go's net.Listen */);
}

static bool is_idle(int fd)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    return option(fd, SOL_SOCKET, SO_ACCEPTCONN) == 0 &&
           getpeername(fd, (struct sockaddr *)&peer, &len) < 0 && errno == ENOTCONN;
}

/* Asked for no bytes, the kernel tells how long the filter is (socket(7)). */
static bool is_plain(int fd)
{
    char device[32];
    socklen_t device_len = sizeof device, filter_len = 0;
    return getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, &device_len) == 0 &&
           device_len == 0 && getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &filter_len) == 0 &&
           filter_len == 0;
}

/* The owner of a user namespace has CAP_NET_ADMIN over its network namespaces, which SIOCGSKNS
 * (Linux 4.10) wants; over the host's he has not. @return its inode, or 0 */
static ino_t netns_of(int fd)
{
    cleanup_close int ns = ioctl(fd, SIOCGSKNS);
    struct stat st;
    return ns >= 0 && fstat(ns, &st) == 0 ? st.st_ino : 0;
}

int original_read(int fd, ino_t child_netns, struct original *ret)
{
    socklen_t len = sizeof ret->address;
    struct in6_addr ip;
    *ret = (struct original){.fd = fd, .family = option(fd, SOL_SOCKET, SO_DOMAIN)};
    if (!is_stream(ret) || !is_idle(fd) || !is_plain(fd))
        return -EOPNOTSUPP;
    ret->netns = netns_of(fd);
    if (ret->netns == 0)
        return -EOPNOTSUPP;
    ret->nested = ret->netns != child_netns;
    if (getsockname(fd, (struct sockaddr *)&ret->address, &len) < 0)
        return -errno;
    if (address_of_socket(&ret->address, &ip) == 0)
        return -EOPNOTSUPP; /* listen(2) will choose a port */
    ret->v6only = ret->family == AF_INET6 && option(fd, IPPROTO_IPV6, IPV6_V6ONLY) > 0;
    return 0;
}

/* What listen(2)'s sockets pass on to those that they accept, or go by themselves; the congestion
 * control is the host's affair. Linger and timeouts are structs of up to 16 bytes. */
static const struct {
    int level, name;
} kept[] = {
    {SOL_SOCKET, SO_KEEPALIVE},
    {SOL_SOCKET, SO_LINGER},
    {SOL_SOCKET, SO_OOBINLINE},
    {SOL_SOCKET, SO_PRIORITY},
    {SOL_SOCKET, SO_RCVLOWAT},
    {SOL_SOCKET, SO_RCVTIMEO},
    {SOL_SOCKET, SO_SNDTIMEO},
    {SOL_SOCKET, SO_TIMESTAMP},
    {IPPROTO_TCP, TCP_NODELAY},
    {IPPROTO_TCP, TCP_DEFER_ACCEPT},
    {IPPROTO_TCP, TCP_FASTOPEN},
    {IPPROTO_TCP, TCP_KEEPIDLE},
    {IPPROTO_TCP, TCP_KEEPINTVL},
    {IPPROTO_TCP, TCP_KEEPCNT},
    {IPPROTO_TCP, TCP_USER_TIMEOUT},
    {IPPROTO_TCP, TCP_LINGER2},
    {IPPROTO_TCP, TCP_NOTSENT_LOWAT},
    {IPPROTO_TCP, TCP_SAVE_SYN},
    {IPPROTO_IP, IP_TOS},
    {IPPROTO_IP, IP_TTL},
    {IPPROTO_IPV6, IPV6_TCLASS},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS},
    {IPPROTO_IPV6, IPV6_RECVPKTINFO},
};

/* The kernel shows twice what was asked for, and only what was asked for stays (socket(7)). */
static void copy_buffer(const struct original *original, int twin, int name)
{
    int size = option(original->fd, SOL_SOCKET, name) / 2;
    if (size > 0)
        (void)setsockopt(twin, SOL_SOCKET, name, &size, sizeof size);
}

void original_copy_options(const struct original *original, int twin)
{
    int locked = option(original->fd, SOL_SOCKET, SO_BUF_LOCK);
    int flags = fcntl(original->fd, F_GETFL);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        char value[16];
        socklen_t len = sizeof value;
        if (getsockopt(original->fd, kept[i].level, kept[i].name, value, &len) == 0)
            (void)setsockopt(twin, kept[i].level, kept[i].name, value, len);
    }
    if (locked > 0 && (locked & SEND_LOCKED))
        copy_buffer(original, twin, SO_SNDBUF);
    if (locked > 0 && (locked & RECEIVE_LOCKED))
        copy_buffer(original, twin, SO_RCVBUF);
    if (flags >= 0)
        (void)fcntl(twin, F_SETFL, flags);
}
