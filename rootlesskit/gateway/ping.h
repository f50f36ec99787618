/*
 * An echo request of the child's as a raw socket of the gateway namespace gives it: IPv4's with its
 * IP header, ICMPv6's without. No state, no heap.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** ICMP's and ICMPv6's header of an echo: type, code, checksum, id, sequence. */
#define PING_HEADER 8

struct ping {
    struct in6_addr child, dest;
    unsigned char *message; /**< in the packet: header and data */
    size_t len;             /**< of the message, at least PING_HEADER */
    uint16_t id;            /**< host byte order */
    uint8_t hops;           /**< 0: not known */
    uint8_t tos;            /**< IPv4's type of service, IPv6's traffic class, with ECN's bits */
    bool whole;             /**< it must not be cut on its way */
};

/** Reads an IPv4 packet. @return false: it is no echo request, or a damaged one */
bool ping_read_v4(unsigned char *packet, size_t len, struct ping *ret);
/** Reads an ICMPv6 message; the rest of @p ret is the caller's to fill in. */
bool ping_read_v6(unsigned char *message, size_t len, struct ping *ret);
/** Turns a message into a reply (or a reply of the host's into the child's) of @p id; its checksum
 *  is left to icmp_send(). */
void ping_make_reply(unsigned char *message, bool v4, uint16_t id);
