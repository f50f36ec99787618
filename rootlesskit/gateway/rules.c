#include "rootlesskit/gateway/rules.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"
#include "lib/net/address.h"
#include "lib/net/nft.h"

#define GATEWAY_CHAIN "pre"
#define OUTPUT "output"
#define UDP "udp"
#define PREROUTING "prerouting"
#define TCP_FLAGS_OFFSET 13 /* RFC 9293, 3.1 */
#define FIN 0x01U
#define SYN 0x02U
#define RST 0x04U
#define ACK 0x10U

static struct nlattr *start_rule(struct nft_batch *batch, unsigned iif, uint8_t protocol)
{
    struct nlattr *list = nft_start_rule(batch, GATEWAY_CHAIN);
    nft_load_meta(batch, NFT_META_IIF);
    nft_compare(batch, NFT_CMP_EQ, &iif, sizeof iif);
    nft_load_meta(batch, NFT_META_L4PROTO);
    nft_compare(batch, NFT_CMP_EQ, &protocol, sizeof protocol);
    return list;
}

static void finish_rule(struct nft_batch *batch, struct nlattr *list, uint32_t mark)
{
    nft_set_mark(batch, mark);
    nft_accept(batch);
    nft_finish_rule(batch, list);
}

static void load_tcp_flags(struct nft_batch *batch, uint8_t mask)
{
    nft_load_payload(batch, NFT_PAYLOAD_TRANSPORT_HEADER, TCP_FLAGS_OFFSET, sizeof mask);
    nft_mask(batch, mask);
}

static void tproxy_to_loopback(struct nft_batch *batch, bool v4, uint16_t port)
{
    const struct in_addr v4_loopback = {.s_addr = htonl(INADDR_LOOPBACK)};
    if (v4)
        nft_tproxy(batch, &v4_loopback, sizeof v4_loopback, port);
    else
        nft_tproxy(batch, &in6addr_loopback, sizeof in6addr_loopback, port);
}

/* A SYN must not match a transparent socket: one in TIME_WAIT would swallow a new connection that
 * reuses its addresses. It goes by way of tun0, where tproxy knows what to do with it. */
static void add_socket_rule(struct nft_batch *batch, const struct rules_gateway *rules)
{
    const uint8_t opening = SYN, yes = 1;
    struct nlattr *list = start_rule(batch, rules->child_index, IPPROTO_TCP);
    load_tcp_flags(batch, SYN | ACK);
    nft_compare(batch, NFT_CMP_NEQ, &opening, sizeof opening);
    nft_load_socket_transparent(batch);
    nft_compare(batch, NFT_CMP_EQ, &yes, sizeof yes);
    finish_rule(batch, list, rules->mark);
}

static void add_syn_rule(struct nft_batch *batch, const struct rules_gateway *rules)
{
    const uint8_t opening = SYN;
    struct nlattr *list = start_rule(batch, rules->tun_index, IPPROTO_TCP);
    load_tcp_flags(batch, FIN | SYN | RST | ACK);
    nft_compare(batch, NFT_CMP_EQ, &opening, sizeof opening);
    tproxy_to_loopback(batch, address_is_v4(&rules->dns), rules->tcp_port);
    finish_rule(batch, list, rules->mark);
}

static void add_datagram_rule(struct nft_batch *batch, const struct rules_gateway *rules)
{
    const struct in_addr v4 = address_v4(&rules->dns);
    bool is_v4 = address_is_v4(&rules->dns);
    struct nlattr *list = start_rule(batch, rules->child_index, IPPROTO_UDP);
    if (is_v4) {
        nft_load_payload(batch, NFT_PAYLOAD_NETWORK_HEADER, offsetof(struct iphdr, daddr),
                         sizeof v4);
        nft_compare(batch, NFT_CMP_NEQ, &v4, sizeof v4);
    } else {
        nft_load_payload(batch, NFT_PAYLOAD_NETWORK_HEADER, offsetof(struct ip6_hdr, ip6_dst),
                         sizeof rules->dns);
        nft_compare(batch, NFT_CMP_NEQ, &rules->dns, sizeof rules->dns);
    }
    tproxy_to_loopback(batch, is_v4, rules->udp_port);
    finish_rule(batch, list, rules->mark);
}

/* Packets in a tunnel may come with their own checksums, and their segmentation, left to the last
 * device, and a socket would get them so. tun0 takes none of that over: what went out by it and
 * came back is complete. */
static void add_tunnel_rules(struct nft_batch *batch, const struct rules_gateway *rules)
{
    static const uint16_t ports[] = {4789 /* VXLAN */, 8472 /* the same, on Linux */,
                                     6081 /* Geneve */};
    struct nlattr *list;
    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        const uint16_t port = htons(ports[i]);
        list = start_rule(batch, rules->child_index, IPPROTO_UDP);
        nft_load_payload(batch, NFT_PAYLOAD_TRANSPORT_HEADER, offsetof(struct udphdr, dest),
                         sizeof port);
        nft_compare(batch, NFT_CMP_EQ, &port, sizeof port);
        nft_accept(batch);
        nft_finish_rule(batch, list);
    }
    list = start_rule(batch, rules->tun_index, IPPROTO_UDP);
    tproxy_to_loopback(batch, address_is_v4(&rules->dns), rules->udp_port);
    finish_rule(batch, list, rules->mark);
}

/* What neighbours tell each other stays with the interface. */
static void add_icmp_rules(struct nft_batch *batch, const struct rules_gateway *rules)
{
    static const uint8_t v4[] = {ICMP_DEST_UNREACH, ICMP_ECHO, ICMP_TIME_EXCEEDED,
                                 ICMP_PARAMETERPROB};
    static const uint8_t v6[] = {ICMP6_DST_UNREACH, ICMP6_PACKET_TOO_BIG, ICMP6_TIME_EXCEEDED,
                                 ICMP6_PARAM_PROB, ICMP6_ECHO_REQUEST};
    bool is_v4 = address_is_v4(&rules->dns);
    size_t n = is_v4 ? sizeof v4 : sizeof v6;
    for (size_t i = 0; i < n; i++) {
        struct nlattr *list =
            start_rule(batch, rules->child_index, is_v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
        nft_load_payload(batch, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1);
        nft_compare(batch, NFT_CMP_EQ, is_v4 ? &v4[i] : &v6[i], 1);
        finish_rule(batch, list, rules->mark);
    }
}

int rules_install_gateway(const struct rules_gateway *rules, struct err *err)
{
    static const struct nft_chain pre = {GATEWAY_CHAIN, "filter", NF_INET_PRE_ROUTING,
                                         NF_IP_PRI_MANGLE};
    struct nft_batch batch;
    int r = nft_start(&batch, address_family(&rules->dns), "gateway");
    if (r >= 0) {
        nft_add_table(&batch);
        nft_add_chain(&batch, &pre);
        add_socket_rule(&batch, rules);
        add_tunnel_rules(&batch, rules);
        add_datagram_rule(&batch, rules);
        add_icmp_rules(&batch, rules);
        add_syn_rule(&batch, rules);
        r = nft_finish(&batch);
    }
    if (r < 0)
        return err_sys(err, -r,
                       "cannot load the packet rules; the kernel needs nf_tables with nft_tproxy "
                       "and nft_socket (rootless-setup check tests them)");
    return 0;
}

/* nft(8)'s names for them, in the bits of a concatenation. */
#define TYPE_IPV4 7U
#define TYPE_IPV6 8U
#define TYPE_PORT 13U
#define TYPE_BITS 6
/* Beyond a key's, 128 bits each. */
#define ASKED NFT_REG_3
#define ANSWERED NFT_REG_4

/* What the rules for datagrams need to know of their family, and their maps. */
struct flows {
    uint32_t source, dest, len; /* of the addresses in the IP header */
    struct nft_map asked, answered;
};

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
        .size = RULES_FLOWS,
        .timeout_ms = timeout_ms,
    };
    flows.answered = flows.asked;
    flows.answered.name = "answered";
    flows.answered.id = 2;
    return flows;
}

static struct nlattr *start_datagram_rule(struct nft_batch *batch, uint32_t mark)
{
    const uint8_t protocol = IPPROTO_UDP;
    struct nlattr *list = nft_start_rule(batch, UDP);
    nft_load_meta(batch, NFT_META_MARK);
    nft_compare(batch, NFT_CMP_EQ, &mark, sizeof mark);
    nft_load_meta(batch, NFT_META_L4PROTO);
    nft_compare(batch, NFT_CMP_EQ, &protocol, sizeof protocol);
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

/* A port is unreachable: what was sent there stands in the message. */
static void add_refusal_rule(struct nft_batch *batch, int family, const struct flows *flows)
{
    static const uint8_t v4[] = {ICMP_DEST_UNREACH, ICMP_PORT_UNREACH},
                         v6[] = {ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOPORT};
    const uint8_t protocol = family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    const uint32_t packet = sizeof(struct icmphdr);
    const uint32_t datagram =
        packet + (uint32_t)(family == AF_INET ? sizeof(struct iphdr) : sizeof(struct ip6_hdr));
    struct nlattr *list = nft_start_rule(batch, UDP);
    nft_load_meta(batch, NFT_META_L4PROTO);
    nft_compare(batch, NFT_CMP_EQ, &protocol, sizeof protocol);
    nft_load_payload(batch, NFT_PAYLOAD_TRANSPORT_HEADER, 0, sizeof v4);
    nft_compare(batch, NFT_CMP_EQ, family == AF_INET ? v4 : v6, sizeof v4);
    nft_load_payload_to(batch, NFT_KEY_REGISTER, NFT_PAYLOAD_TRANSPORT_HEADER,
                        packet + flows->source, flows->len);
    load_ports(batch, flows, datagram + (uint32_t)offsetof(struct udphdr, source),
               datagram + (uint32_t)offsetof(struct udphdr, dest));
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

static void add_restore_rule(struct nft_batch *batch, const char *chain, bool answers_only,
                             const struct rules_marks *marks)
{
    const uint8_t answer = IP_CT_DIR_REPLY;
    struct nlattr *list = nft_start_rule(batch, chain);
    if (answers_only) {
        nft_load_connection(batch, NFT_CT_DIRECTION);
        nft_compare(batch, NFT_CMP_EQ, &answer, sizeof answer);
    }
    nft_load_connection(batch, NFT_CT_MARK);
    nft_compare(batch, NFT_CMP_EQ, &marks->connection, sizeof marks->connection);
    nft_set_mark(batch, marks->packet);
    nft_finish_rule(batch, list);
}

static void add_mark_rules(struct nft_batch *batch, const struct rules_marks *marks)
{
    struct nlattr *list = nft_start_rule(batch, OUTPUT);
    nft_load_meta(batch, NFT_META_MARK);
    nft_compare(batch, NFT_CMP_EQ, &marks->socket, sizeof marks->socket);
    nft_set_connection_mark(batch, marks->connection);
    nft_finish_rule(batch, list);
    add_restore_rule(batch, OUTPUT, true, marks);
    add_restore_rule(batch, PREROUTING, false, marks);
}

int rules_install_marks(int family, const struct rules_marks *marks, struct err *err)
{
    /* "route": a packet with another mark or address than before is routed anew. */
    static const struct nft_chain chains[] = {
        {UDP, "route", NF_INET_LOCAL_OUT, NF_IP_PRI_RAW}, /* before conntrack looks */
        {OUTPUT, "route", NF_INET_LOCAL_OUT, NF_IP_PRI_MANGLE},
        {PREROUTING, "filter", NF_INET_PRE_ROUTING, NF_IP_PRI_MANGLE},
    };
    struct nft_batch batch;
    const struct flows flows = flows_of(family, marks->flow_ms);
    int r = nft_start(&batch, family, "rootlesskit");
    if (r >= 0) {
        nft_add_table(&batch);
        nft_add_map(&batch, &flows.asked);
        nft_add_map(&batch, &flows.answered);
        for (size_t i = 0; i < sizeof chains / sizeof chains[0]; i++)
            nft_add_chain(&batch, &chains[i]);
        add_asking_rules(&batch, &flows, marks->socket);
        add_answering_rule(&batch, &flows, marks->packet);
        add_refusal_rule(&batch, family, &flows);
        add_mark_rules(&batch, marks);
        r = nft_finish(&batch);
    }
    return r < 0 ? err_sys(err, -r, "cannot load nf_tables rules (the kernel needs nft_ct)") : 0;
}
