#include "rootlesskit/gateway/rules.h"

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
#include "lib/net/address.h"
#include "lib/net/nft.h"

#define GATEWAY_CHAIN "pre"

static struct nlattr *start_rule(struct nft_batch *batch, unsigned iif, uint8_t protocol)
{
    struct nlattr *list = nft_start_rule(batch, GATEWAY_CHAIN);
    nft_match_meta(batch, NFT_META_IIF, NFT_CMP_EQ, &iif, sizeof iif);
    nft_match_meta(batch, NFT_META_L4PROTO, NFT_CMP_EQ, &protocol, sizeof protocol);
    return list;
}

static void finish_rule(struct nft_batch *batch, struct nlattr *list, uint32_t mark)
{
    nft_set_mark(batch, mark);
    nft_accept(batch);
    nft_finish_rule(batch, list);
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
    const uint8_t opening = TH_SYN, yes = 1;
    struct nlattr *list = start_rule(batch, rules->child_index, IPPROTO_TCP);
    nft_load_tcp_flags(batch, TH_SYN | TH_ACK);
    nft_compare(batch, NFT_CMP_NEQ, &opening, sizeof opening);
    nft_load_socket_transparent(batch);
    nft_compare(batch, NFT_CMP_EQ, &yes, sizeof yes);
    finish_rule(batch, list, rules->mark);
}

static void add_syn_rule(struct nft_batch *batch, const struct rules_gateway *rules)
{
    const uint8_t opening = TH_SYN;
    struct nlattr *list = start_rule(batch, rules->tun_index, IPPROTO_TCP);
    nft_load_tcp_flags(batch, TH_FIN | TH_SYN | TH_RST | TH_ACK);
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
