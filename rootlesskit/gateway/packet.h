/*
 * Packets as they come out of and go into tun0: reading a SYN's addresses, and making the answer
 * that refuses one, a TCP reset. No heap, no state.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** An IPv4 header with all options (IPv6's is shorter), a TCP header with all options, no data. */
#define PACKET_SYN_MAX 120
/** A reset: an IPv6 header and a TCP header without options. */
#define PACKET_RESET_MAX 60

enum packet_kind {
    PACKET_BAD,  /**< no IP, cut, or a later fragment: drop */
    PACKET_SYN,  /**< opens a TCP connection; fits PACKET_SYN_MAX */
    PACKET_TCP,  /**< any other TCP segment */
    PACKET_ICMP, /**< of either family: never answered, it may be an error (RFC 1122, 3.2.2) */
    PACKET_OTHER,
};

struct packet_tuple {
    struct in6_addr source, dest;    /**< IPv4 mapped (address.h) */
    uint16_t source_port, dest_port; /**< host byte order */
};

struct packet {
    enum packet_kind kind;
    struct packet_tuple tuple; /**< ports for TCP only */
    uint32_t seq;              /**< of a TCP segment */
    uint8_t tos;               /**< IPv4's type of service, IPv6's traffic class */
};

/** Reads the packet at @p data. Every field is checked against @p len before it is read. Behind an
 *  IPv6 extension header nothing is looked for: no TCP of a kernel's own has one. */
struct packet packet_parse(const uint8_t *data, size_t len);
/** @return true for UDP of either family, a later fragment of it included */
bool packet_is_datagram(const uint8_t *data, size_t len);
/** A RST that refuses the SYN. @return its length in @p ret (PACKET_RESET_MAX) */
size_t packet_make_reset(const struct packet *syn, uint8_t *ret);
/** The internet checksum (RFC 1071) of @p len bytes on top of @p sum, folded and complemented. */
uint16_t packet_checksum(const void *data, size_t len, uint32_t sum);
