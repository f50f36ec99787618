/* nf_tables in a network namespace of one's own: NAT for bridges, tproxy for the gateway. */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <netinet/in.h>
#include <unistd.h>

#include "lib/net/nft.h"
#include "rootless-setup/check/explain.h"
#include "rootless-setup/check/network.h"
#include "rootless-setup/check/probe.h"

#define TABLE_NAME "probe"
#define CHAIN_NAME "chain"
#define PROXY_PORT 40000
#define MARK 1
#define NAT_MODULES "nf_tables nft_chain_nat nft_masq" /* as rootless-setup fix has them */

static void add_masquerade_rule(struct nft_batch *batch)
{
    struct nlattr *rule = nft_start_rule(batch, CHAIN_NAME);
    nft_masquerade(batch);
    nft_finish_rule(batch, rule);
}

/* meta l4proto tcp socket transparent 1 meta mark set 1 */
static void add_socket_rule(struct nft_batch *batch)
{
    const uint8_t tcp = IPPROTO_TCP, transparent = 1;
    struct nlattr *rule = nft_start_rule(batch, CHAIN_NAME);
    nft_match_meta(batch, NFT_META_L4PROTO, NFT_CMP_EQ, &tcp, sizeof tcp);
    nft_load_socket_transparent(batch);
    nft_compare(batch, NFT_CMP_EQ, &transparent, sizeof transparent);
    nft_set_mark(batch, MARK);
    nft_finish_rule(batch, rule);
}

/* meta l4proto tcp tproxy to 127.0.0.1:40000 meta mark set 1 */
static void add_tproxy_rule(struct nft_batch *batch)
{
    const uint8_t tcp = IPPROTO_TCP;
    const struct in_addr loopback = {.s_addr = htonl(INADDR_LOOPBACK)};
    struct nlattr *rule = nft_start_rule(batch, CHAIN_NAME);
    nft_match_meta(batch, NFT_META_L4PROTO, NFT_CMP_EQ, &tcp, sizeof tcp);
    nft_tproxy(batch, &loopback, sizeof loopback, PROXY_PORT);
    nft_set_mark(batch, MARK);
    nft_finish_rule(batch, rule);
}

static int load_masquerade(int family)
{
    static const struct nft_chain chain = {CHAIN_NAME, "nat", NF_INET_POST_ROUTING,
                                           NF_IP_PRI_NAT_SRC};
    struct nft_batch batch;
    int r = nft_start(&batch, family, TABLE_NAME);
    if (r < 0)
        return r;
    nft_add_table(&batch);
    nft_add_chain(&batch, &chain);
    add_masquerade_rule(&batch);
    return nft_finish(&batch);
}

/* Networks of IPv4 alone do without that of IPv6; so does a kernel that has no IPv6. */
static void check_nat6(struct check_result *result)
{
    if (access("/proc/net/if_inet6", F_OK) < 0) {
        check_say(result, CHECK_OK, "loaded a masquerade rule in a network namespace");
        return;
    }
    int r = load_masquerade(AF_INET6);
    if (r == 0) {
        check_say(result, CHECK_OK, "loaded masquerade rules in a network namespace");
        return;
    }
    check_say_errno(result, CHECK_WARNING, -r,
                    "loading a masquerade rule of IPv6 in a network namespace");
    explain_module(-r, "nf_tables NAT of IPv6, which container networks with IPv6 need",
                   NAT_MODULES, "nat", result);
}

void probe_nat(const struct check_context *context, struct check_result *result)
{
    if (network_enter(context, result) < 0)
        return;
    int r = load_masquerade(AF_INET);
    if (r == 0) {
        check_nat6(result);
        return;
    }
    check_say_errno(result, CHECK_FAILED, -r, "loading a masquerade rule in a network namespace");
    explain_module(-r, "nf_tables NAT, which container networks need", NAT_MODULES, "nat", result);
}

void probe_tproxy(const struct check_context *context, struct check_result *result)
{
    if (network_enter(context, result) < 0)
        return;
    static const struct nft_chain chain = {CHAIN_NAME, "filter", NF_INET_PRE_ROUTING,
                                           NF_IP_PRI_MANGLE};
    struct nft_batch batch;
    int r = nft_start(&batch, AF_INET, TABLE_NAME);
    if (r == 0) {
        nft_add_table(&batch);
        nft_add_chain(&batch, &chain);
        add_socket_rule(&batch);
        add_tproxy_rule(&batch);
        r = nft_finish(&batch);
    }
    if (r < 0) {
        explain_module(-r, "the tproxy and socket expressions, which the gateway network needs",
                       "nft_tproxy nft_socket", "tproxy", result);
        enum check_status status = network_gateway_lost(result);
        check_say_errno(result, status, -r, "loading the gateway network's rules");
        return;
    }
    check_say(result, CHECK_OK, "loaded the gateway network's tproxy and socket rules");
}
