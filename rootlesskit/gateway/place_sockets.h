/* The sockets of one IP family in the gateway namespace G, by which the child's traffic is taken.
 */
#pragma once

#include <netinet/in.h>
#include <stdint.h>

struct err;

/** All owned by the caller; -EBADF where there is no such family. */
struct place_sockets {
    int tcp_fd;     /**< transparent listener, bound to the loopback address */
    int udp_fd;     /**< gets each datagram of the child's that no connected transparent socket of G
                     *   gets; tells its destination (IP_RECVORIGDSTADDR) and hop limit */
    int dns_udp_fd; /**< bound to the DNS address */
    int dns_tcp_fd;
    uint16_t tcp_port, udp_port; /**< host byte order */
};

#define PLACE_SOCKETS_UNSET                                                             \
    {                                                                                   \
        .tcp_fd = -EBADF, .udp_fd = -EBADF, .dns_udp_fd = -EBADF, .dns_tcp_fd = -EBADF, \
    }

/** Opens them in the calling thread's network namespace. @param dns  an address it has; tells the
 *  family */
int place_open_sockets(struct place_sockets *ret, const struct in6_addr *dns, struct err *err);
