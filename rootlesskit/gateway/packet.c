#include "rootlesskit/gateway/packet.h"

#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>

#define QUOTED 8 /* bytes of the payload in an ICMP error, RFC 792 */
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

/* Length of the IP header, or 0 for what is no whole first fragment of an IPv4 packet. */
static size_t ip_header_of(const uint8_t *data, size_t len, struct iphdr *ret)
{
    if (len < sizeof *ret)
        return 0;
    memcpy(ret, data, sizeof *ret);
    size_t header = (size_t)ret->ihl * 4;
    bool ok = ret->version == 4 && header >= sizeof *ret && header <= len &&
              ntohs(ret->tot_len) >= header && ntohs(ret->tot_len) <= len &&
              (ntohs(ret->frag_off) & FRAGMENT_OFFSET) == 0;
    return ok ? header : 0;
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

static bool is_icmp_error(const uint8_t *data, size_t len)
{
    return len == 0 || (data[0] != ICMP_ECHO && data[0] != ICMP_ECHOREPLY);
}

struct packet packet_parse(const uint8_t *data, size_t len)
{
    struct packet ret = {.kind = PACKET_BAD};
    struct iphdr ip;
    size_t header = ip_header_of(data, len, &ip);
    if (header == 0)
        return ret;
    ret.tuple.source.s_addr = ip.saddr;
    ret.tuple.dest.s_addr = ip.daddr;
    size_t payload = ntohs(ip.tot_len) - header;
    if (ip.protocol == IPPROTO_TCP)
        parse_tcp(data + header, payload, &ret);
    else if (ip.protocol == IPPROTO_ICMP && is_icmp_error(data + header, payload))
        ret.kind = PACKET_ICMP_ERR;
    else
        ret.kind = PACKET_OTHER;
    return ret;
}

static void put_ip(uint8_t *ret, size_t total, uint8_t protocol, struct in_addr from,
                   struct in_addr to)
{
    struct iphdr ip = {
        .version = 4,
        .ihl = sizeof ip / 4,
        .tot_len = htons((uint16_t)total),
        .frag_off = htons(IP_DF),
        .ttl = ANSWER_TTL,
        .protocol = protocol,
        .saddr = from.s_addr,
        .daddr = to.s_addr,
    };
    ip.check = packet_checksum(&ip, sizeof ip, 0);
    memcpy(ret, &ip, sizeof ip);
}

size_t packet_make_reset(const struct packet *syn, uint8_t *ret)
{
    size_t total = sizeof(struct iphdr) + sizeof(struct tcphdr);
    put_ip(ret, total, IPPROTO_TCP, syn->tuple.dest, syn->tuple.source);
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
    uint32_t pseudo = IPPROTO_TCP + sizeof tcp;
    pseudo = add_bytes((const uint8_t *)&syn->tuple.dest, 4, pseudo);
    pseudo = add_bytes((const uint8_t *)&syn->tuple.source, 4, pseudo);
    tcp.check = packet_checksum(&tcp, sizeof tcp, pseudo);
    memcpy(ret + sizeof(struct iphdr), &tcp, sizeof tcp);
    return total;
}

size_t packet_make_unreachable(const uint8_t *data, size_t len, struct in_addr from, uint8_t code,
                               uint8_t *ret)
{
    struct iphdr ip;
    size_t header = ip_header_of(data, len, &ip);
    size_t quote = header + QUOTED < len ? header + QUOTED : len;
    size_t total = sizeof(struct iphdr) + sizeof(struct icmphdr) + quote;
    if (header == 0 || total > PACKET_ANSWER_MAX)
        return 0;
    struct in_addr to = {.s_addr = ip.saddr};
    put_ip(ret, total, IPPROTO_ICMP, from, to);
    struct icmphdr icmp = {.type = ICMP_DEST_UNREACH, .code = code};
    uint8_t *at = ret + sizeof(struct iphdr);
    memcpy(at, &icmp, sizeof icmp);
    memcpy(at + sizeof icmp, data, quote);
    icmp.checksum = packet_checksum(at, sizeof icmp + quote, 0);
    memcpy(at, &icmp, sizeof icmp);
    return total;
}
