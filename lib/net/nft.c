#include "lib/net/nft.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"

#define TCP_FLAGS_OFFSET 13 /* RFC 9293, 3.1 */

static void start(struct nft_batch *batch, uint16_t type, uint16_t flags, uint8_t family,
                  uint16_t res_id)
{
    batch->header = mnl_nlmsg_put_header(mnl_nlmsg_batch_current(batch->messages));
    batch->header->nlmsg_type = type;
    batch->header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    batch->header->nlmsg_seq = batch->seq++;
    struct nfgenmsg *nf = mnl_nlmsg_put_extra_header(batch->header, sizeof *nf);
    nf->nfgen_family = family;
    nf->version = NFNETLINK_V0;
    nf->res_id = htons(res_id);
}

static void start_nft(struct nft_batch *batch, uint16_t type)
{
    start(batch, (uint16_t)((NFNL_SUBSYS_NFTABLES << 8) | type),
          NLM_F_CREATE | NLM_F_ACK | NLM_F_APPEND, batch->family, 0);
    batch->expected++;
}

static void finish(struct nft_batch *batch)
{
    (void)mnl_nlmsg_batch_next(batch->messages);
}

static void put_be32(struct nft_batch *batch, uint16_t type, uint32_t value)
{
    mnl_attr_put_u32(batch->header, type, htonl(value));
}

/* An expression of a rule: element { name, data { ... } }. */
struct expression {
    struct nlattr *element, *data;
};

static struct expression open_expression(struct nft_batch *batch, const char *name)
{
    struct expression e;
    e.element = mnl_attr_nest_start(batch->header, NFTA_LIST_ELEM);
    mnl_attr_put_strz(batch->header, NFTA_EXPR_NAME, name);
    e.data = mnl_attr_nest_start(batch->header, NFTA_EXPR_DATA);
    return e;
}

static void close_expression(struct nft_batch *batch, struct expression e)
{
    mnl_attr_nest_end(batch->header, e.data);
    mnl_attr_nest_end(batch->header, e.element);
}

static void put_value(struct nft_batch *batch, uint16_t type, const void *value, size_t len)
{
    struct nlattr *nest = mnl_attr_nest_start(batch->header, type);
    mnl_attr_put(batch->header, NFTA_DATA_VALUE, len, value);
    mnl_attr_nest_end(batch->header, nest);
}

void nft_load_socket_transparent(struct nft_batch *batch)
{
    struct expression e = open_expression(batch, "socket");
    put_be32(batch, NFTA_SOCKET_KEY, NFT_SOCKET_TRANSPARENT);
    put_be32(batch, NFTA_SOCKET_DREG, NFT_REG_1);
    close_expression(batch, e);
}

void nft_load_payload_to(struct nft_batch *batch, uint32_t reg, uint32_t base, uint32_t offset,
                         uint32_t len)
{
    struct expression e = open_expression(batch, "payload");
    put_be32(batch, NFTA_PAYLOAD_DREG, reg);
    put_be32(batch, NFTA_PAYLOAD_BASE, base);
    put_be32(batch, NFTA_PAYLOAD_OFFSET, offset);
    put_be32(batch, NFTA_PAYLOAD_LEN, len);
    close_expression(batch, e);
}

void nft_load_payload(struct nft_batch *batch, uint32_t base, uint32_t offset, uint32_t len)
{
    nft_load_payload_to(batch, NFT_REG_1, base, offset, len);
}

void nft_set_address(struct nft_batch *batch, uint32_t reg, uint32_t offset)
{
    bool v4 = batch->family == NFPROTO_IPV4;
    struct expression e = open_expression(batch, "payload");
    put_be32(batch, NFTA_PAYLOAD_SREG, reg);
    put_be32(batch, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
    put_be32(batch, NFTA_PAYLOAD_OFFSET, offset);
    put_be32(batch, NFTA_PAYLOAD_LEN, v4 ? sizeof(struct in_addr) : sizeof(struct in6_addr));
    put_be32(batch, NFTA_PAYLOAD_CSUM_TYPE, v4 ? NFT_PAYLOAD_CSUM_INET : NFT_PAYLOAD_CSUM_NONE);
    if (v4)
        put_be32(batch, NFTA_PAYLOAD_CSUM_OFFSET, offsetof(struct iphdr, check));
    put_be32(batch, NFTA_PAYLOAD_CSUM_FLAGS, NFT_PAYLOAD_L4CSUM_PSEUDOHDR);
    close_expression(batch, e);
}

void nft_look_up(struct nft_batch *batch, const struct nft_map *map, uint32_t reg)
{
    struct expression e = open_expression(batch, "lookup");
    mnl_attr_put_strz(batch->header, NFTA_LOOKUP_SET, map->name);
    put_be32(batch, NFTA_LOOKUP_SET_ID, map->id);
    put_be32(batch, NFTA_LOOKUP_SREG, NFT_KEY_REGISTER);
    put_be32(batch, NFTA_LOOKUP_DREG, reg);
    close_expression(batch, e);
}

static void change_map(struct nft_batch *batch, const struct nft_map *map, uint32_t op,
                       uint32_t reg)
{
    struct expression e = open_expression(batch, "dynset");
    mnl_attr_put_strz(batch->header, NFTA_DYNSET_SET_NAME, map->name);
    put_be32(batch, NFTA_DYNSET_SET_ID, map->id);
    put_be32(batch, NFTA_DYNSET_OP, op);
    put_be32(batch, NFTA_DYNSET_SREG_KEY, NFT_KEY_REGISTER);
    put_be32(batch, NFTA_DYNSET_SREG_DATA, reg);
    close_expression(batch, e);
}

void nft_put(struct nft_batch *batch, const struct nft_map *map, uint32_t reg)
{
    change_map(batch, map, NFT_DYNSET_OP_UPDATE, reg);
}

void nft_forget(struct nft_batch *batch, const struct nft_map *map)
{
    change_map(batch, map, NFT_DYNSET_OP_DELETE, NFT_KEY_REGISTER); /* some data must be named */
}

static void mask_byte(struct nft_batch *batch, uint8_t mask)
{
    const uint8_t none = 0;
    struct expression e = open_expression(batch, "bitwise");
    put_be32(batch, NFTA_BITWISE_SREG, NFT_REG_1);
    put_be32(batch, NFTA_BITWISE_DREG, NFT_REG_1);
    put_be32(batch, NFTA_BITWISE_LEN, sizeof mask);
    put_value(batch, NFTA_BITWISE_MASK, &mask, sizeof mask);
    put_value(batch, NFTA_BITWISE_XOR, &none, sizeof none);
    close_expression(batch, e);
}

void nft_compare(struct nft_batch *batch, uint32_t op, const void *value, size_t len)
{
    struct expression e = open_expression(batch, "cmp");
    put_be32(batch, NFTA_CMP_SREG, NFT_REG_1);
    put_be32(batch, NFTA_CMP_OP, op);
    put_value(batch, NFTA_CMP_DATA, value, len);
    close_expression(batch, e);
}

void nft_match_meta(struct nft_batch *batch, uint32_t key, uint32_t op, const void *value,
                    size_t len)
{
    struct expression e = open_expression(batch, "meta");
    put_be32(batch, NFTA_META_DREG, NFT_REG_1);
    put_be32(batch, NFTA_META_KEY, key);
    close_expression(batch, e);
    nft_compare(batch, op, value, len);
}

void nft_load_tcp_flags(struct nft_batch *batch, uint8_t mask)
{
    nft_load_payload(batch, NFT_PAYLOAD_TRANSPORT_HEADER, TCP_FLAGS_OFFSET, sizeof mask);
    mask_byte(batch, mask);
}

static void immediate(struct nft_batch *batch, uint32_t reg, const void *value, size_t len)
{
    struct expression e = open_expression(batch, "immediate");
    put_be32(batch, NFTA_IMMEDIATE_DREG, reg);
    put_value(batch, NFTA_IMMEDIATE_DATA, value, len);
    close_expression(batch, e);
}

void nft_set_mark(struct nft_batch *batch, uint32_t mark)
{
    immediate(batch, NFT_REG_1, &mark, sizeof mark);
    struct expression e = open_expression(batch, "meta");
    put_be32(batch, NFTA_META_SREG, NFT_REG_1);
    put_be32(batch, NFTA_META_KEY, NFT_META_MARK);
    close_expression(batch, e);
}

static void finish_with(struct nft_batch *batch, uint32_t verdict_code)
{
    struct expression e = open_expression(batch, "immediate");
    put_be32(batch, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    struct nlattr *data = mnl_attr_nest_start(batch->header, NFTA_IMMEDIATE_DATA);
    struct nlattr *verdict = mnl_attr_nest_start(batch->header, NFTA_DATA_VERDICT);
    put_be32(batch, NFTA_VERDICT_CODE, verdict_code);
    mnl_attr_nest_end(batch->header, verdict);
    mnl_attr_nest_end(batch->header, data);
    close_expression(batch, e);
}

void nft_accept(struct nft_batch *batch)
{
    finish_with(batch, NF_ACCEPT);
}

void nft_drop(struct nft_batch *batch)
{
    finish_with(batch, NF_DROP);
}

void nft_tproxy(struct nft_batch *batch, const void *ip, size_t len, uint16_t port)
{
    uint16_t be_port = htons(port);
    immediate(batch, NFT_REG_1, ip, len);
    immediate(batch, NFT_REG_2, &be_port, sizeof be_port);
    struct expression e = open_expression(batch, "tproxy");
    put_be32(batch, NFTA_TPROXY_FAMILY, batch->family);
    put_be32(batch, NFTA_TPROXY_REG_ADDR, NFT_REG_1);
    put_be32(batch, NFTA_TPROXY_REG_PORT, NFT_REG_2);
    close_expression(batch, e);
}

void nft_masquerade(struct nft_batch *batch)
{
    close_expression(batch, open_expression(batch, "masq"));
}

struct nlattr *nft_start_rule(struct nft_batch *batch, const char *chain)
{
    start_nft(batch, NFT_MSG_NEWRULE);
    mnl_attr_put_strz(batch->header, NFTA_RULE_TABLE, batch->table);
    mnl_attr_put_strz(batch->header, NFTA_RULE_CHAIN, chain);
    return mnl_attr_nest_start(batch->header, NFTA_RULE_EXPRESSIONS);
}

void nft_finish_rule(struct nft_batch *batch, struct nlattr *list)
{
    mnl_attr_nest_end(batch->header, list);
    finish(batch);
}

void nft_add_table(struct nft_batch *batch)
{
    start_nft(batch, NFT_MSG_NEWTABLE);
    mnl_attr_put_strz(batch->header, NFTA_TABLE_NAME, batch->table);
    finish(batch);
}

void nft_add_chain(struct nft_batch *batch, const struct nft_chain *chain)
{
    start_nft(batch, NFT_MSG_NEWCHAIN);
    mnl_attr_put_strz(batch->header, NFTA_CHAIN_TABLE, batch->table);
    mnl_attr_put_strz(batch->header, NFTA_CHAIN_NAME, chain->name);
    struct nlattr *hook = mnl_attr_nest_start(batch->header, NFTA_CHAIN_HOOK);
    put_be32(batch, NFTA_HOOK_HOOKNUM, chain->hook);
    put_be32(batch, NFTA_HOOK_PRIORITY, (uint32_t)chain->priority);
    mnl_attr_nest_end(batch->header, hook);
    mnl_attr_put_strz(batch->header, NFTA_CHAIN_TYPE, chain->type);
    finish(batch);
}

void nft_add_map(struct nft_batch *batch, const struct nft_map *map)
{
    start_nft(batch, NFT_MSG_NEWSET);
    mnl_attr_put_strz(batch->header, NFTA_SET_TABLE, batch->table);
    mnl_attr_put_strz(batch->header, NFTA_SET_NAME, map->name);
    put_be32(batch, NFTA_SET_ID, map->id);
    put_be32(batch, NFTA_SET_FLAGS, NFT_SET_MAP | NFT_SET_TIMEOUT | NFT_SET_EVAL);
    put_be32(batch, NFTA_SET_KEY_TYPE, map->key_type);
    put_be32(batch, NFTA_SET_KEY_LEN, map->key_len);
    put_be32(batch, NFTA_SET_DATA_TYPE, map->data_type);
    put_be32(batch, NFTA_SET_DATA_LEN, map->data_len);
    mnl_attr_put_u64(batch->header, NFTA_SET_TIMEOUT, htobe64(map->timeout_ms));
    struct nlattr *description = mnl_attr_nest_start(batch->header, NFTA_SET_DESC);
    put_be32(batch, NFTA_SET_DESC_SIZE, map->size);
    mnl_attr_nest_end(batch->header, description);
    finish(batch);
}

/* Counts the acknowledgements in one datagram. @return how many, or the first error in it */
static int count_acks(const struct nlmsghdr *header, int len)
{
    int acks = 0;
    for (; mnl_nlmsg_ok(header, len); header = mnl_nlmsg_next(header, &len)) {
        if (header->nlmsg_type != NLMSG_ERROR)
            continue;
        const struct nlmsgerr *error = mnl_nlmsg_get_payload(header);
        if (error->error < 0)
            return error->error;
        acks++;
    }
    return acks;
}

/* Every message between begin and end is acknowledged, or the first bad one reported. */
static int send_batch(const struct nft_batch *batch)
{
    union {
        struct nlmsghdr align;
        char space[NFT_BATCH_MAX];
    } answer;
    struct mnl_socket *sock = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    if (!sock)
        return -errno;
    int r = 0;
    if (mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID) < 0 ||
        mnl_socket_sendto(sock, mnl_nlmsg_batch_head(batch->messages),
                          mnl_nlmsg_batch_size(batch->messages)) < 0)
        r = -errno;
    for (int acks = 0; r >= 0 && acks < batch->expected; acks += r) {
        ssize_t n = mnl_socket_recvfrom(sock, &answer, sizeof answer);
        r = n < 0 ? -errno : count_acks(&answer.align, (int)n);
    }
    (void)mnl_socket_close(sock);
    return r < 0 ? r : 0;
}

int nft_start(struct nft_batch *batch, int family, const char *table)
{
    *batch = (struct nft_batch){
        .seq = 1,
        .family = family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4,
        .table = table,
    };
    batch->messages = mnl_nlmsg_batch_start(batch->space, sizeof batch->space);
    if (!batch->messages)
        return -ENOMEM;
    start(batch, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    finish(batch);
    return 0;
}

int nft_finish(struct nft_batch *batch)
{
    start(batch, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    finish(batch);
    int r = send_batch(batch);
    mnl_nlmsg_batch_stop(batch->messages);
    return r;
}
