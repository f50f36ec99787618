#include "rootlesskit/gateway/source_rules.h"

#include <netinet/in.h> /* the kernel's headers leave out what it has */

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"
#include "lib/net/nft.h"

#define UDP "udp"
#define PREROUTING "prerouting"
#define POSTROUTING "postrouting"
/* What a NAT forgets no earlier (RFC 5382, REQ-5): a connection without a packet, and one that one
 * side has closed. */
#define TCP_OPEN_MS (124U * 60 * 1000)
#define TCP_CLOSING_MS (4U * 60 * 1000)
/* The kernel's, in every namespace. */
#define LOOPBACK_INDEX 1U

/* nft(8)'s names for them, in the bits of a concatenation. */
#define TYPE_IPV4 7U
#define TYPE_IPV6 8U
#define TYPE_PORT 13U
#define TYPE_BITS 6
/* Beyond a key's, 128 bits each. */
#define ASKED NFT_REG_3
#define ANSWERED NFT_REG_4

/* What the rules need to know of their family, and their maps. */
struct flows {
    uint32_t source, dest, len;            /* of the addresses in the IP header */
    struct nft_map asked, answered;        /* of local services */
    struct nft_map carried, open, closing; /* of others: datagrams, connections */
};

static struct nft_map another(const struct nft_map *map, const char *name, uint32_t id,
                              uint64_t timeout_ms)
{
    struct nft_map copy = *map;
    copy.name = name;
    copy.id = id;
    copy.timeout_ms = timeout_ms;
    return copy;
}

static struct flows flows_of(int family, uint64_t timeout_ms)
{
    bool v4 = family == AF_INET;
    uint32_t type = v4 ? TYPE_IPV4 : TYPE_IPV6;
    struct flows flows = {
        .source = v4 ? offsetof(struct iphdr, saddr) : offsetof(struct ip6_hdr, ip6_src),
        .dest = v4 ? offsetof(struct iphdr, daddr) : offsetof(struct ip6_hdr, ip6_dst),
        .len = v4 ? sizeof(struct in_addr) : sizeof(struct in6_addr),
    };
    flows.asked = (struct nft_map){
        .name = "asked",
        .id = 1,
        .key_type = (type << TYPE_BITS | TYPE_PORT) << TYPE_BITS | TYPE_PORT,
        .key_len = flows.len + 2 * (uint32_t)sizeof(uint32_t),
        .data_type = type,
        .data_len = flows.len,
        .size = SOURCE_RULES_FLOWS,
        .timeout_ms = timeout_ms,
    };
    flows.answered = another(&flows.asked, "answered", 2, timeout_ms);
    flows.carried = another(&flows.asked, "carried", 3, timeout_ms);
    flows.open = another(&flows.asked, "open", 4, TCP_OPEN_MS);
    flows.closing = another(&flows.asked, "closing", 5, TCP_CLOSING_MS);
    return flows;
}

static struct nlattr *start_datagram_rule(struct nft_batch *batch, uint32_t mark)
{
    const uint8_t protocol = IPPROTO_UDP;
    struct nlattr *list = nft_start_rule(batch, UDP);
    nft_match_meta(batch, NFT_META_MARK, NFT_CMP_EQ, &mark, sizeof mark);
    nft_match_meta(batch, NFT_META_L4PROTO, NFT_CMP_EQ, &protocol, sizeof protocol);
    return list;
}

static void load_address(struct nft_batch *batch, const struct flows *flows, uint32_t reg,
                         uint32_t offset)
{
    nft_load_payload_to(batch, reg, NFT_PAYLOAD_NETWORK_HEADER, offset, flows->len);
}

static void load_ports(struct nft_batch *batch, const struct flows *flows, uint32_t client,
                       uint32_t service)
{
    const uint32_t ports = NFT_KEY_REGISTER + flows->len / (uint32_t)sizeof(uint32_t);
    nft_load_payload_to(batch, ports, NFT_PAYLOAD_TRANSPORT_HEADER, client, sizeof(uint16_t));
    nft_load_payload_to(batch, ports + 1, NFT_PAYLOAD_TRANSPORT_HEADER, service, sizeof(uint16_t));
}

/* The client is the packet's sender, or its receiver. */
static void load_key(struct nft_batch *batch, const struct flows *flows, bool from_client)
{
    const uint32_t from = offsetof(struct udphdr, source), to = offsetof(struct udphdr, dest);
    load_address(batch, flows, NFT_KEY_REGISTER, from_client ? flows->source : flows->dest);
    load_ports(batch, flows, from_client ? from : to, from_client ? to : from);
}

/* Of an ICMP message: the client is who sent what it is about. */
static void load_inner_key(struct nft_batch *batch, const struct flows *flows, bool v4)
{
    const uint32_t packet = sizeof(struct icmphdr);
    const uint32_t datagram =
        packet + (uint32_t)(v4 ? sizeof(struct iphdr) : sizeof(struct ip6_hdr));
    nft_load_payload_to(batch, NFT_KEY_REGISTER, NFT_PAYLOAD_TRANSPORT_HEADER,
                        packet + flows->source, flows->len);
    load_ports(batch, flows, datagram + (uint32_t)offsetof(struct udphdr, source),
               datagram + (uint32_t)offsetof(struct udphdr, dest));
}

/* A port is unreachable: what was sent there stands in the message. */
static void add_refusal_rule(struct nft_batch *batch, const struct flows *flows, bool v4)
{
    static const uint8_t refused_v4[] = {ICMP_DEST_UNREACH, ICMP_PORT_UNREACH},
                         refused_v6[] = {ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOPORT};
    const uint8_t protocol = v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    struct nlattr *list = nft_start_rule(batch, UDP);
    nft_match_meta(batch, NFT_META_L4PROTO, NFT_CMP_EQ, &protocol, sizeof protocol);
    nft_load_payload(batch, NFT_PAYLOAD_TRANSPORT_HEADER, 0, sizeof refused_v4);
    nft_compare(batch, NFT_CMP_EQ, v4 ? refused_v4 : refused_v6, sizeof refused_v4);
    load_inner_key(batch, flows, v4);
    nft_forget(batch, &flows->answered);
    nft_finish_rule(batch, list);
}

static void add_asking_rules(struct nft_batch *batch, const struct flows *flows, uint32_t mark)
{
    struct nlattr *list = start_datagram_rule(batch, mark);
    load_key(batch, flows, true);
    load_address(batch, flows, ASKED, flows->dest);
    nft_look_up(batch, &flows->answered, ANSWERED);
    nft_put(batch, &flows->asked, ASKED);
    nft_set_address(batch, ANSWERED, flows->dest);
    nft_accept(batch);
    nft_finish_rule(batch, list);
    list = start_datagram_rule(batch, mark);
    load_key(batch, flows, true);
    load_address(batch, flows, ASKED, flows->dest);
    nft_put(batch, &flows->asked, ASKED);
    nft_accept(batch);
    nft_finish_rule(batch, list);
    list = start_datagram_rule(batch, mark);
    nft_drop(batch);
    nft_finish_rule(batch, list);
}

static void add_answering_rule(struct nft_batch *batch, const struct flows *flows, uint32_t mark)
{
    struct nlattr *list = start_datagram_rule(batch, 0);
    load_key(batch, flows, false);
    nft_look_up(batch, &flows->asked, ASKED);
    load_address(batch, flows, ANSWERED, flows->source);
    nft_put(batch, &flows->answered, ANSWERED);
    nft_put(batch, &flows->asked, ANSWERED); /* it is there: its time begins anew */
    nft_set_address(batch, ASKED, flows->source);
    nft_set_mark(batch, mark);
    nft_finish_rule(batch, list);
}

/* ---- what NAT has led to another host: a container's ---- */

/* A packet of a client's socket that leaves the namespace, or one that comes into it. */
static struct nlattr *start_carried_rule(struct nft_batch *batch, const char *chain,
                                         uint8_t protocol, const uint32_t *mark)
{
    const uint32_t loopback = LOOPBACK_INDEX;
    struct nlattr *list = nft_start_rule(batch, chain);
    nft_match_meta(batch, mark ? NFT_META_OIF : NFT_META_IIF, NFT_CMP_NEQ, &loopback,
                   sizeof loopback);
    if (mark)
        nft_match_meta(batch, NFT_META_MARK, NFT_CMP_EQ, mark, sizeof *mark);
    nft_match_meta(batch, NFT_META_L4PROTO, NFT_CMP_EQ, &protocol, sizeof protocol);
    return list;
}

static void match_tcp_flags(struct nft_batch *batch, uint8_t any_of)
{
    const uint8_t none = 0;
    nft_load_tcp_flags(batch, any_of);
    nft_compare(batch, NFT_CMP_NEQ, &none, sizeof none);
}

static void finish_rule(struct nft_batch *batch, struct nlattr *list)
{
    nft_accept(batch);
    nft_finish_rule(batch, list);
}

/* What has one of the flags goes from one map to the other. */
static void add_moving_rule(struct nft_batch *batch, const struct flows *flows, uint32_t mark,
                            uint8_t flag, const struct nft_map *from, const struct nft_map *to)
{
    struct nlattr *list = start_carried_rule(batch, POSTROUTING, IPPROTO_TCP, &mark);
    match_tcp_flags(batch, flag);
    load_key(batch, flows, true);
    load_address(batch, flows, ASKED, flows->dest);
    nft_put(batch, to, ASKED);
    nft_forget(batch, from);
    finish_rule(batch, list);
}

/* What the map has, whose time begins anew. */
static void keep(struct nft_batch *batch, const struct flows *flows, const struct nft_map *map,
                 uint32_t service)
{
    nft_look_up(batch, map, ANSWERED);
    load_address(batch, flows, ASKED, service);
    nft_put(batch, map, ASKED);
}

static void add_leaving_rules(struct nft_batch *batch, const struct flows *flows, uint32_t mark)
{
    const struct nft_map *maps[] = {&flows->open, &flows->closing};
    struct nlattr *list = start_carried_rule(batch, POSTROUTING, IPPROTO_UDP, &mark);
    load_key(batch, flows, true);
    load_address(batch, flows, ASKED, flows->dest);
    nft_put(batch, &flows->carried, ASKED);
    finish_rule(batch, list);
    add_moving_rule(batch, flows, mark, TH_SYN, &flows->closing, &flows->open);
    add_moving_rule(batch, flows, mark, TH_FIN | TH_RST, &flows->open, &flows->closing);
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
        list = start_carried_rule(batch, POSTROUTING, IPPROTO_TCP, &mark);
        load_key(batch, flows, true);
        keep(batch, flows, maps[i], flows->dest);
        finish_rule(batch, list);
    }
}

/* An answer to what is in the map. */
static void add_coming_rule(struct nft_batch *batch, const struct flows *flows, uint32_t mark,
                            uint8_t protocol, const struct nft_map *map)
{
    struct nlattr *list = start_carried_rule(batch, PREROUTING, protocol, NULL);
    load_key(batch, flows, false);
    keep(batch, flows, map, flows->source);
    nft_set_mark(batch, mark);
    finish_rule(batch, list);
}

/* One that refuses ends the connection: nothing follows from the client. */
static void add_reset_rule(struct nft_batch *batch, const struct flows *flows, uint32_t mark)
{
    struct nlattr *list = start_carried_rule(batch, PREROUTING, IPPROTO_TCP, NULL);
    match_tcp_flags(batch, TH_RST);
    load_key(batch, flows, false);
    nft_look_up(batch, &flows->open, ANSWERED);
    load_address(batch, flows, ASKED, flows->source);
    nft_put(batch, &flows->closing, ASKED);
    nft_forget(batch, &flows->open);
    nft_set_mark(batch, mark);
    finish_rule(batch, list);
}

/* An error of the way: the packet that it is about stands in it. */
static void add_error_rule(struct nft_batch *batch, const struct flows *flows, uint32_t mark,
                           bool v4, uint8_t type, const struct nft_map *map)
{
    struct nlattr *list =
        start_carried_rule(batch, PREROUTING, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, NULL);
    nft_load_payload(batch, NFT_PAYLOAD_TRANSPORT_HEADER, 0, sizeof type);
    nft_compare(batch, NFT_CMP_EQ, &type, sizeof type);
    load_inner_key(batch, flows, v4);
    nft_look_up(batch, map, ANSWERED);
    nft_set_mark(batch, mark);
    finish_rule(batch, list);
}

static void add_error_rules(struct nft_batch *batch, const struct flows *flows, uint32_t mark,
                            bool v4)
{
    static const uint8_t types_v4[] = {ICMP_DEST_UNREACH},
                         types_v6[] = {ICMP6_DST_UNREACH, ICMP6_PACKET_TOO_BIG};
    size_t n = v4 ? sizeof types_v4 : sizeof types_v6;
    for (size_t i = 0; i < n; i++) {
        uint8_t type = v4 ? types_v4[i] : types_v6[i];
        add_error_rule(batch, flows, mark, v4, type, &flows->carried);
        add_error_rule(batch, flows, mark, v4, type, &flows->open);
    }
}

/* What a client's socket sent to this namespace itself: whatever answers it takes the mark over. */
static void add_arrived_rule(struct nft_batch *batch, const struct source_rules *rules)
{
    struct nlattr *list = nft_start_rule(batch, PREROUTING);
    nft_match_meta(batch, NFT_META_MARK, NFT_CMP_EQ, &rules->socket, sizeof rules->socket);
    nft_set_mark(batch, rules->packet);
    finish_rule(batch, list);
}

static void add_chains(struct nft_batch *batch)
{
    /* "route": a packet with another mark or address than before is routed anew. */
    static const struct nft_chain chains[] = {
        {UDP, "route", NF_INET_LOCAL_OUT, NF_IP_PRI_RAW}, /* before conntrack looks */
        {PREROUTING, "filter", NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST + 1},
        {POSTROUTING, "filter", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC - 1},
    };
    for (size_t i = 0; i < sizeof chains / sizeof chains[0]; i++)
        nft_add_chain(batch, &chains[i]);
}

static void add_maps(struct nft_batch *batch, const struct flows *flows)
{
    nft_add_map(batch, &flows->asked);
    nft_add_map(batch, &flows->answered);
    nft_add_map(batch, &flows->carried);
    nft_add_map(batch, &flows->open);
    nft_add_map(batch, &flows->closing);
}

int source_rules_install(int family, const struct source_rules *rules, struct err *err)
{
    struct nft_batch batch;
    const struct flows flows = flows_of(family, rules->flow_ms);
    bool v4 = family == AF_INET;
    int r = nft_start(&batch, family, "rootlesskit");
    if (r >= 0) {
        nft_add_table(&batch);
        add_maps(&batch, &flows);
        add_chains(&batch);
        add_asking_rules(&batch, &flows, rules->socket);
        add_answering_rule(&batch, &flows, rules->packet);
        add_refusal_rule(&batch, &flows, v4);
        add_leaving_rules(&batch, &flows, rules->socket);
        add_arrived_rule(&batch, rules);
        add_reset_rule(&batch, &flows, rules->packet);
        add_coming_rule(&batch, &flows, rules->packet, IPPROTO_TCP, &flows.open);
        add_coming_rule(&batch, &flows, rules->packet, IPPROTO_TCP, &flows.closing);
        add_coming_rule(&batch, &flows, rules->packet, IPPROTO_UDP, &flows.carried);
        add_error_rules(&batch, &flows, rules->packet, v4);
        r = nft_finish(&batch);
    }
    return r < 0 ? err_sys(err, -r, "cannot load nf_tables rules") : 0;
}
