/*
 * What became of a datagram after it was sent, as the kernel keeps it in a socket's error queue
 * (IP_RECVERR, ip(7)): ICMP errors of routers and hosts, and its own.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "rootlesskit/gateway/icmp.h"

/** Behind the headers, as much of the datagram as is of use: an ICMP echo's header. */
#define ERRQUEUE_HEAD 8

struct errqueue_error {
    enum icmp_reason reason;
    uint32_t mtu;             /**< of ICMP_TOO_BIG, bytes */
    bool local;               /**< the kernel of this host says so, before anything was sent */
    struct in6_addr dest;     /**< where the datagram was to go */
    uint16_t port;            /**< ... host byte order; 0 of a local IPv4 error: not known */
    struct in6_addr offender; /**< who says so; zero when not known */
    uint8_t head[ERRQUEUE_HEAD];
    size_t head_len;
};

/** Has @p fd, of @p family (AF_INET, AF_INET6), keep errors. @return 0 or -errno */
int errqueue_enable(int fd, int family);
/** Takes the next one that a sender is to be told of. @return false when there are no more */
bool errqueue_next(int fd, struct errqueue_error *ret);
/** Reads one message of an error queue. @return false: it is nothing to tell */
bool errqueue_parse(struct msghdr *msg, size_t len, struct errqueue_error *ret);
