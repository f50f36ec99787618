/*
 * ICMP and ICMPv6 in the gateway namespace G, by raw sockets whose packets the kernel builds: it
 * picks the route, and fragments. They bear any source address (IP_TRANSPARENT).
 */
#pragma once

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/** Raw sockets of G that receive echo requests only; -EBADF where there is no IPv6. */
struct icmp_sockets {
    int fd4, fd6;
};

/** What an error tells its receiver; both families have a type and code for each. */
enum icmp_reason {
    ICMP_NO_ROUTE,
    ICMP_NO_HOST,
    ICMP_NO_PROTOCOL,
    ICMP_NO_PORT,
    ICMP_PROHIBITED, /**< by policy or a firewall */
    ICMP_TOO_BIG,
    ICMP_TIME_OVER, /**< the hop limit */
};

/** A packet as an error quotes it: its IP header, of IPv4 with all options at most, and the first 8
 *  bytes behind it. */
struct icmp_quote {
    uint8_t data[68];
    size_t len;
};

/** Opens the socket of @p family (AF_INET, AF_INET6) in the calling thread's network namespace. */
int icmp_open(struct icmp_sockets *icmp, int family, struct err *err);
/**
 * The reason for what connect(2) or send(2) said. @return it, or -1: tell nothing (a shortage of
 * ours, or silence, which is a timeout's truth)
 */
int icmp_reason_of(int code);
/** The quote of a packet of the child's that is not at hand any more, from what is known of it.
 *  @param head  the first 8 bytes behind the IP header
 *  @param len   of what was behind the IP header, bytes */
struct icmp_quote icmp_quote_make(const struct in6_addr *source, const struct in6_addr *dest,
                                  uint8_t protocol, const uint8_t head[8], size_t len);
/** The quote of a packet at hand. */
struct icmp_quote icmp_quote_of(const uint8_t *packet, size_t len);
/**
 * Sends an error to the child.
 * @param from  who says so: the gateway, or a router farther away
 * @param to    the source of the quoted packet, of the same family
 * @param mtu   of ICMP_TOO_BIG, bytes
 */
void icmp_send_error(const struct icmp_sockets *icmp, const struct in6_addr *from,
                     const struct in6_addr *to, enum icmp_reason reason, uint32_t mtu,
                     const struct icmp_quote *quote);
/**
 * Sends any message to the child; the kernel fills in ICMPv6's checksum, IPv4's is filled in here.
 * @param tos      the type of service, or traffic class
 * @param message  ICMP header and data, @p len bytes
 */
void icmp_send(const struct icmp_sockets *icmp, const struct in6_addr *from,
               const struct in6_addr *to, uint8_t tos, void *message, size_t len);
