/* TCP sockets of both families on loopback, each at a port that is free. What fails ends the test;
 * sockets are the caller's. */
#pragma once

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "lib/base/fd.h"
#include "lib/net/address.h"

/** For what is not to be waited for longer, and comes at once. */
#define TCP_WAIT_MS 5000

/** A mapped address stays one of AF_INET6. */
static inline struct sockaddr_storage tcp_at(const char *text, uint16_t port)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_storage ret = {0};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        memcpy(&ret, &v4, sizeof v4);
    else if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1)
        memcpy(&ret, &v6, sizeof v6);
    return ret;
}

static inline struct sockaddr_storage tcp_address(int fd)
{
    struct sockaddr_storage ret = {0};
    socklen_t len = sizeof ret;
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&ret, &len), 0);
    return ret;
}

static inline uint16_t tcp_port(int fd)
{
    struct sockaddr_storage address = tcp_address(fd);
    struct in6_addr unused;
    return address_of_socket(&address, &unused);
}

static inline ino_t tcp_inode(int fd)
{
    struct stat st;
    ck_assert_int_eq(fstat(fd, &st), 0);
    return st.st_ino;
}

static inline int tcp_option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;
    ck_assert_int_eq(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static inline void tcp_set(int fd, int level, int name, int value)
{
    ck_assert_int_eq(setsockopt(fd, level, name, &value, sizeof value), 0);
}

static inline int tcp_open(int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    return fd;
}

static inline bool tcp_has_ipv6(void)
{
    struct sockaddr_storage loopback = tcp_at("::1", 0);
    cleanup_close int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && bind(fd, (const struct sockaddr *)&loopback, sizeof loopback) == 0;
}

static inline int tcp_bound(const char *text, bool v6only)
{
    struct sockaddr_storage address = tcp_at(text, 0);
    int fd = tcp_open(address.ss_family);
    if (address.ss_family == AF_INET6)
        tcp_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6only);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static inline int tcp_listening(const char *text)
{
    int fd = tcp_bound(text, false);
    ck_assert_int_eq(listen(fd, 16), 0);
    return fd;
}

/** @return a connected socket or -errno */
static inline int tcp_dial(const char *text, uint16_t port)
{
    struct sockaddr_storage address = tcp_at(text, port);
    cleanup_close int fd = tcp_open(address.ss_family);
    return connect(fd, (const struct sockaddr *)&address, sizeof address) < 0 ? -errno
                                                                              : take_fd(&fd);
}

static inline bool tcp_awaits(int fd, short events, int ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};
    return poll(&poll_fd, 1, ms) == 1 && (poll_fd.revents & events);
}

static inline int tcp_accept(int listener)
{
    ck_assert(tcp_awaits(listener, POLLIN, TCP_WAIT_MS));
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    return fd;
}
