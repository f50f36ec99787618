/*
 * IPv4 packets as they come out of and go into tun0: reading a SYN's addresses, and making the two
 * answers the gateway gives by itself, a TCP reset and an ICMP error. No heap, no state.
 */
#pragma once

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

/** An IPv4 header with all options, a TCP header with all options, no data. */
#define PACKET_SYN_MAX 120
/** The longest answer: an ICMP error quoting a full IP header and 8 bytes behind it. */
#define PACKET_ANSWER_MAX 128

enum packet_kind {
    PACKET_BAD,      /**< not IPv4, cut, or a later fragment: drop */
    PACKET_SYN,      /**< opens a TCP connection; fits PACKET_SYN_MAX */
    PACKET_TCP,      /**< any other TCP segment */
    PACKET_ICMP_ERR, /**< an ICMP error: never answered (RFC 1122, 3.2.2) */
    PACKET_OTHER,
};

struct packet_tuple {
    struct in_addr source, dest;
    uint16_t source_port, dest_port; /**< host byte order */
};

struct packet {
    enum packet_kind kind;
    struct packet_tuple tuple; /**< ports for TCP only */
    uint32_t seq;              /**< of a TCP segment */
};

/** Reads the packet at @p data. Every field is checked against @p len before it is read. */
struct packet packet_parse(const uint8_t *data, size_t len);
/** A RST that refuses the SYN. @return its length in @p ret (PACKET_ANSWER_MAX) */
size_t packet_make_reset(const struct packet *syn, uint8_t *ret);
/**
 * An ICMP destination unreachable (type 3, RFC 792) that quotes @p data.
 * @param from  its source address
 * @param code  ICMP_NET_UNREACH, ICMP_HOST_UNREACH, ICMP_PKT_FILTERED, ...
 * @return its length in @p ret
 */
size_t packet_make_unreachable(const uint8_t *data, size_t len, struct in_addr from, uint8_t code,
                               uint8_t *ret);
/** The internet checksum (RFC 1071) of @p len bytes on top of @p sum, folded and complemented. */
uint16_t packet_checksum(const void *data, size_t len, uint32_t sum);
