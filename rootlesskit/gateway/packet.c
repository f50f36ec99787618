#include "rootlesskit/gateway/packet.h"

#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>

#include "lib/net/address.h"

#define ANSWER_TTL 64
#define FRAGMENT_OFFSET 0x1fffU

static uint32_t add_bytes(const uint8_t *p, size_t len, uint32_t sum)
{
    for (; len > 1; p += 2, len -= 2)
        sum += (uint32_t)(p[0] << 8 | p[1]);
    return len ? sum + (uint32_t)(p[0] << 8) : sum;
}

uint16_t packet_checksum(const void *data, size_t len, uint32_t sum)
{
    sum = add_bytes(data, len, sum);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t)~sum);
}

/* What an IP header says. */
struct header {
    size_t len; /* 0: it is none, or one of a later fragment */
    size_t payload;
    uint8_t protocol, tos;
    struct in6_addr source, dest;
};

static struct header read_v4(const uint8_t *data, size_t len)
{
    struct iphdr ip;
    struct header ret = {0};
    if (len < sizeof ip)
        return ret;
    memcpy(&ip, data, sizeof ip);
    size_t header = (size_t)ip.ihl * 4, total = ntohs(ip.tot_len);
    if (header < sizeof ip || total < header || total > len ||
        (ntohs(ip.frag_off) & FRAGMENT_OFFSET) != 0)
        return ret;
    struct in_addr source = {.s_addr = ip.saddr}, dest = {.s_addr = ip.daddr};
    return (struct header){
        .len = header,
        .payload = total - header,
        .protocol = ip.protocol,
        .tos = ip.tos,
        .source = address_map(source),
        .dest = address_map(dest),
    };
}

/* Mapped addresses have no place on a wire (RFC 6890): they would pass for IPv4. */
static struct header read_v6(const uint8_t *data, size_t len)
{
    struct ip6_hdr ip;
    struct header ret = {0};
    if (len < sizeof ip)
        return ret;
    memcpy(&ip, data, sizeof ip);
    if (ntohs(ip.ip6_plen) > len - sizeof ip || address_is_v4(&ip.ip6_src) ||
        address_is_v4(&ip.ip6_dst))
        return ret;
    return (struct header){
        .len = sizeof ip,
        .payload = ntohs(ip.ip6_plen),
        .protocol = ip.ip6_nxt,
        .tos = (uint8_t)(ntohl(ip.ip6_flow) >> 20),
        .source = ip.ip6_src,
        .dest = ip.ip6_dst,
    };
}

static struct header read_header(const uint8_t *data, size_t len)
{
    static const struct header none;
    if (len == 0)
        return none;
    return data[0] >> 4 == 4 ? read_v4(data, len) : data[0] >> 4 == 6 ? read_v6(data, len) : none;
}

static void parse_tcp(const uint8_t *data, size_t len, struct packet *ret)
{
    struct tcphdr tcp;
    ret->kind = PACKET_BAD;
    if (len < sizeof tcp)
        return;
    memcpy(&tcp, data, sizeof tcp);
    size_t header = (size_t)tcp.doff * 4;
    if (header < sizeof tcp || header > len)
        return;
    ret->tuple.source_port = ntohs(tcp.source);
    ret->tuple.dest_port = ntohs(tcp.dest);
    ret->seq = ntohl(tcp.seq);
    ret->kind = tcp.syn && !tcp.ack && !tcp.rst && !tcp.fin ? PACKET_SYN : PACKET_TCP;
    /* Data in a SYN (TCP Fast Open) can be sent only after an earlier answer with a cookie, which
     * the gateway's kernel never gives: drop it, the sender tries again without. */
    if (ret->kind == PACKET_SYN && header != len)
        ret->kind = PACKET_BAD;
}

struct packet packet_parse(const uint8_t *data, size_t len)
{
    struct packet ret = {.kind = PACKET_BAD};
    struct header header = read_header(data, len);
    if (header.len == 0)
        return ret;
    ret.tuple.source = header.source;
    ret.tuple.dest = header.dest;
    ret.tos = header.tos;
    if (header.protocol == IPPROTO_TCP)
        parse_tcp(data + header.len, header.payload, &ret);
    else if (header.protocol == IPPROTO_ICMP || header.protocol == IPPROTO_ICMPV6)
        ret.kind = PACKET_ICMP;
    else
        ret.kind = PACKET_OTHER;
    return ret;
}

bool packet_is_datagram(const uint8_t *data, size_t len)
{
    if (len >= sizeof(struct iphdr) && data[0] >> 4 == 4)
        return data[offsetof(struct iphdr, protocol)] == IPPROTO_UDP;
    if (len < sizeof(struct ip6_hdr) + sizeof(struct ip6_frag) || data[0] >> 4 != 6)
        return false;
    uint8_t next = data[offsetof(struct ip6_hdr, ip6_nxt)];
    return next == IPPROTO_UDP ||
           (next == IPPROTO_FRAGMENT && data[sizeof(struct ip6_hdr)] == IPPROTO_UDP);
}

/* @return where the payload begins */
static size_t put_header(uint8_t *ret, const struct packet_tuple *answered, size_t payload)
{
    if (!address_is_v4(&answered->source)) {
        struct ip6_hdr ip = {
            .ip6_flow = htonl(6U << 28),
            .ip6_plen = htons((uint16_t)payload),
            .ip6_nxt = IPPROTO_TCP,
            .ip6_hlim = ANSWER_TTL,
            .ip6_src = answered->dest,
            .ip6_dst = answered->source,
        };
        memcpy(ret, &ip, sizeof ip);
        return sizeof ip;
    }
    struct iphdr ip = {
        .version = 4,
        .ihl = sizeof ip / 4,
        .tot_len = htons((uint16_t)(sizeof ip + payload)),
        .frag_off = htons(IP_DF),
        .ttl = ANSWER_TTL,
        .protocol = IPPROTO_TCP,
        .saddr = address_v4(&answered->dest).s_addr,
        .daddr = address_v4(&answered->source).s_addr,
    };
    ip.check = packet_checksum(&ip, sizeof ip, 0);
    memcpy(ret, &ip, sizeof ip);
    return sizeof ip;
}

/* Of the pseudo header (RFC 9293, 3.1; RFC 8200, 8.1). A mapped address adds 0xffff, which counts
 * as nothing in such a sum. */
static uint32_t pseudo_sum(const struct packet_tuple *tuple, size_t len)
{
    uint32_t sum = add_bytes(tuple->source.s6_addr, 16, IPPROTO_TCP + (uint32_t)len);
    return add_bytes(tuple->dest.s6_addr, 16, sum);
}

size_t packet_make_reset(const struct packet *syn, uint8_t *ret)
{
    /* RFC 9293, 3.10.7.1: no ACK in the segment, so SEQ=0, ACK=SEG.SEQ+SEG.LEN; a SYN counts one.
     */
    struct tcphdr tcp = {
        .source = htons(syn->tuple.dest_port),
        .dest = htons(syn->tuple.source_port),
        .ack_seq = htonl(syn->seq + 1),
        .doff = sizeof tcp / 4,
        .rst = 1,
        .ack = 1,
    };
    tcp.check = packet_checksum(&tcp, sizeof tcp, pseudo_sum(&syn->tuple, sizeof tcp));
    size_t at = put_header(ret, &syn->tuple, sizeof tcp);
    memcpy(ret + at, &tcp, sizeof tcp);
    return at + sizeof tcp;
}
