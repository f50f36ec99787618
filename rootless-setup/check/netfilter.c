/* nf_tables in a network namespace of one's own: NAT for bridges, tproxy for the gateway. */
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netlink.h>
#include <netinet/in.h>

#include "rootless-setup/check/explain.h"
#include "rootless-setup/check/netlink.h"
#include "rootless-setup/check/network.h"
#include "rootless-setup/check/probe.h"

#define TABLE_NAME "probe"
#define CHAIN_NAME "chain"
#define PROXY_PORT 40000
#define MARK 1

static void put_u32(struct nlmsghdr *message, uint16_t type, uint32_t value)
{
    mnl_attr_put_u32(message, type, htonl(value));
}

static void add_table(struct netlink_batch *batch)
{
    struct nlmsghdr *message =
        netlink_nft(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, NFPROTO_IPV4);
    mnl_attr_put_strz(message, NFTA_TABLE_NAME, TABLE_NAME);
    netlink_end(batch, message);
}

static void add_chain(struct netlink_batch *batch, const char *type, uint32_t hook,
                      uint32_t priority)
{
    struct nlmsghdr *message =
        netlink_nft(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL, NFPROTO_IPV4);
    mnl_attr_put_strz(message, NFTA_CHAIN_TABLE, TABLE_NAME);
    mnl_attr_put_strz(message, NFTA_CHAIN_NAME, CHAIN_NAME);
    mnl_attr_put_strz(message, NFTA_CHAIN_TYPE, type);
    struct nlattr *nest = mnl_attr_nest_start(message, NFTA_CHAIN_HOOK);
    put_u32(message, NFTA_HOOK_HOOKNUM, hook);
    put_u32(message, NFTA_HOOK_PRIORITY, priority);
    mnl_attr_nest_end(message, nest);
    netlink_end(batch, message);
}

/* A rule being written: expressions stand between rule_begin() and rule_end(). */
struct rule {
    struct netlink_batch *batch;
    struct nlmsghdr *message;
    struct nlattr *list, *element, *data;
};

static struct rule rule_begin(struct netlink_batch *batch)
{
    struct rule rule = {.batch = batch};
    rule.message = netlink_nft(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, NFPROTO_IPV4);
    mnl_attr_put_strz(rule.message, NFTA_RULE_TABLE, TABLE_NAME);
    mnl_attr_put_strz(rule.message, NFTA_RULE_CHAIN, CHAIN_NAME);
    rule.list = mnl_attr_nest_start(rule.message, NFTA_RULE_EXPRESSIONS);
    return rule;
}

static void rule_end(struct rule *rule)
{
    mnl_attr_nest_end(rule->message, rule->list);
    netlink_end(rule->batch, rule->message);
}

static struct nlmsghdr *expr_begin(struct rule *rule, const char *name)
{
    rule->element = mnl_attr_nest_start(rule->message, NFTA_LIST_ELEM);
    mnl_attr_put_strz(rule->message, NFTA_EXPR_NAME, name);
    rule->data = mnl_attr_nest_start(rule->message, NFTA_EXPR_DATA);
    return rule->message;
}

static void expr_end(struct rule *rule)
{
    mnl_attr_nest_end(rule->message, rule->data);
    mnl_attr_nest_end(rule->message, rule->element);
}

static void put_value(struct nlmsghdr *message, uint16_t type, const void *value, size_t len)
{
    struct nlattr *nest = mnl_attr_nest_start(message, type);
    mnl_attr_put(message, NFTA_DATA_VALUE, len, value);
    mnl_attr_nest_end(message, nest);
}

static void expr_compare(struct rule *rule, const void *value, size_t len)
{
    struct nlmsghdr *message = expr_begin(rule, "cmp");
    put_u32(message, NFTA_CMP_SREG, NFT_REG_1);
    put_u32(message, NFTA_CMP_OP, NFT_CMP_EQ);
    put_value(message, NFTA_CMP_DATA, value, len);
    expr_end(rule);
}

static void expr_immediate(struct rule *rule, const void *value, size_t len)
{
    struct nlmsghdr *message = expr_begin(rule, "immediate");
    put_u32(message, NFTA_IMMEDIATE_DREG, NFT_REG_1);
    put_value(message, NFTA_IMMEDIATE_DATA, value, len);
    expr_end(rule);
}

static void expr_is_tcp(struct rule *rule)
{
    const uint8_t tcp = IPPROTO_TCP;
    struct nlmsghdr *message = expr_begin(rule, "meta");
    put_u32(message, NFTA_META_DREG, NFT_REG_1);
    put_u32(message, NFTA_META_KEY, NFT_META_L4PROTO);
    expr_end(rule);
    expr_compare(rule, &tcp, sizeof tcp);
}

static void expr_set_mark(struct rule *rule)
{
    const uint32_t mark = MARK;
    expr_immediate(rule, &mark, sizeof mark);
    struct nlmsghdr *message = expr_begin(rule, "meta");
    put_u32(message, NFTA_META_SREG, NFT_REG_1);
    put_u32(message, NFTA_META_KEY, NFT_META_MARK);
    expr_end(rule);
}

/* meta l4proto tcp socket transparent 1 meta mark set 1 */
static void add_socket_rule(struct netlink_batch *batch)
{
    const uint8_t transparent = 1;
    struct rule rule = rule_begin(batch);
    expr_is_tcp(&rule);
    struct nlmsghdr *message = expr_begin(&rule, "socket");
    put_u32(message, NFTA_SOCKET_KEY, NFT_SOCKET_TRANSPARENT);
    put_u32(message, NFTA_SOCKET_DREG, NFT_REG_1);
    expr_end(&rule);
    expr_compare(&rule, &transparent, sizeof transparent);
    expr_set_mark(&rule);
    rule_end(&rule);
}

/* meta l4proto tcp tproxy to :40000 meta mark set 1 */
static void add_tproxy_rule(struct netlink_batch *batch)
{
    const uint16_t port = htons(PROXY_PORT);
    struct rule rule = rule_begin(batch);
    expr_is_tcp(&rule);
    expr_immediate(&rule, &port, sizeof port);
    struct nlmsghdr *message = expr_begin(&rule, "tproxy");
    put_u32(message, NFTA_TPROXY_FAMILY, NFPROTO_IPV4);
    put_u32(message, NFTA_TPROXY_REG_PORT, NFT_REG_1);
    expr_end(&rule);
    expr_set_mark(&rule);
    rule_end(&rule);
}

static void add_masquerade_rule(struct netlink_batch *batch)
{
    struct rule rule = rule_begin(batch);
    (void)expr_begin(&rule, "masq");
    expr_end(&rule);
    rule_end(&rule);
}

void probe_nat(const struct check_context *context, struct check_result *result)
{
    if (network_enter(context, result) < 0)
        return;
    struct netlink_batch batch = {.len = 0};
    netlink_nft_begin(&batch);
    add_table(&batch);
    add_chain(&batch, "nat", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC);
    add_masquerade_rule(&batch);
    netlink_nft_end(&batch);
    int r = netlink_send(&batch, NETLINK_NETFILTER);
    if (r < 0) {
        check_say_errno(result, CHECK_FAILED, -r,
                        "loading a masquerade rule in a network namespace");
        explain_module(-r, "nf_tables NAT, which container networks need",
                       "nf_tables nft_chain_nat nft_masq", "nat", result);
        return;
    }
    check_say(result, CHECK_OK, "loaded a masquerade rule in a network namespace");
}

void probe_tproxy(const struct check_context *context, struct check_result *result)
{
    if (network_enter(context, result) < 0)
        return;
    struct netlink_batch batch = {.len = 0};
    netlink_nft_begin(&batch);
    add_table(&batch);
    add_chain(&batch, "filter", NF_INET_PRE_ROUTING, (uint32_t)NF_IP_PRI_MANGLE);
    add_socket_rule(&batch);
    add_tproxy_rule(&batch);
    netlink_nft_end(&batch);
    int r = netlink_send(&batch, NETLINK_NETFILTER);
    if (r < 0) {
        explain_module(-r, "the tproxy and socket expressions, which the gateway network needs",
                       "nft_tproxy nft_socket", "tproxy", result);
        enum check_status status = network_gateway_lost(result);
        check_say_errno(result, status, -r, "loading the gateway network's rules");
        return;
    }
    check_say(result, CHECK_OK, "loaded the gateway network's tproxy and socket rules");
}
