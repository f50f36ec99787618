#include "rootlesskit/gateway/nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"

#define GATEWAY_TABLE "gateway"
#define GATEWAY_CHAIN "pre"
#define CHILD_TABLE "rootlesskit"
#define PRIORITY_MANGLE (-150)
#define BATCH_MAX 8192
#define TCP_FLAGS_OFFSET 13 /* RFC 9293, 3.1 */
#define FIN 0x01U
#define SYN 0x02U
#define RST 0x04U
#define ACK 0x10U

/* A batch under construction: messages one after the other in one buffer. */
struct batch {
    struct mnl_nlmsg_batch *messages;
    struct nlmsghdr *header; /* the message being built */
    uint32_t seq;
    uint8_t family;
    const char *table;
    int expected; /* acknowledgements */
};

static void start(struct batch *batch, uint16_t type, uint16_t flags, uint8_t family,
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

static void start_nft(struct batch *batch, uint16_t type)
{
    start(batch, (uint16_t)((NFNL_SUBSYS_NFTABLES << 8) | type),
          NLM_F_CREATE | NLM_F_ACK | NLM_F_APPEND, batch->family, 0);
    batch->expected++;
}

static void finish(struct batch *batch)
{
    (void)mnl_nlmsg_batch_next(batch->messages);
}

static void put_be32(struct batch *batch, uint16_t type, uint32_t value)
{
    mnl_attr_put_u32(batch->header, type, htonl(value));
}

/* An expression of a rule: element { name, data { ... } }. */
struct expression {
    struct nlattr *element, *data;
};

static struct expression open_expression(struct batch *batch, const char *name)
{
    struct expression e;
    e.element = mnl_attr_nest_start(batch->header, NFTA_LIST_ELEM);
    mnl_attr_put_strz(batch->header, NFTA_EXPR_NAME, name);
    e.data = mnl_attr_nest_start(batch->header, NFTA_EXPR_DATA);
    return e;
}

static void close_expression(struct batch *batch, struct expression e)
{
    mnl_attr_nest_end(batch->header, e.data);
    mnl_attr_nest_end(batch->header, e.element);
}

static void put_value(struct batch *batch, uint16_t type, const void *value, size_t len)
{
    struct nlattr *nest = mnl_attr_nest_start(batch->header, type);
    mnl_attr_put(batch->header, NFTA_DATA_VALUE, len, value);
    mnl_attr_nest_end(batch->header, nest);
}

static void load_meta(struct batch *batch, uint32_t key)
{
    struct expression e = open_expression(batch, "meta");
    put_be32(batch, NFTA_META_DREG, NFT_REG_1);
    put_be32(batch, NFTA_META_KEY, key);
    close_expression(batch, e);
}

static void load_socket_transparent(struct batch *batch)
{
    struct expression e = open_expression(batch, "socket");
    put_be32(batch, NFTA_SOCKET_KEY, NFT_SOCKET_TRANSPARENT);
    put_be32(batch, NFTA_SOCKET_DREG, NFT_REG_1);
    close_expression(batch, e);
}

static void load_tcp_flags(struct batch *batch, uint8_t mask)
{
    const uint8_t none = 0;
    struct expression e = open_expression(batch, "payload");
    put_be32(batch, NFTA_PAYLOAD_DREG, NFT_REG_1);
    put_be32(batch, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER);
    put_be32(batch, NFTA_PAYLOAD_OFFSET, TCP_FLAGS_OFFSET);
    put_be32(batch, NFTA_PAYLOAD_LEN, sizeof mask);
    close_expression(batch, e);
    e = open_expression(batch, "bitwise");
    put_be32(batch, NFTA_BITWISE_SREG, NFT_REG_1);
    put_be32(batch, NFTA_BITWISE_DREG, NFT_REG_1);
    put_be32(batch, NFTA_BITWISE_LEN, sizeof mask);
    put_value(batch, NFTA_BITWISE_MASK, &mask, sizeof mask);
    put_value(batch, NFTA_BITWISE_XOR, &none, sizeof none);
    close_expression(batch, e);
}

static void compare(struct batch *batch, uint32_t op, const void *value, size_t len)
{
    struct expression e = open_expression(batch, "cmp");
    put_be32(batch, NFTA_CMP_SREG, NFT_REG_1);
    put_be32(batch, NFTA_CMP_OP, op);
    put_value(batch, NFTA_CMP_DATA, value, len);
    close_expression(batch, e);
}

static void immediate(struct batch *batch, uint32_t reg, const void *value, size_t len)
{
    struct expression e = open_expression(batch, "immediate");
    put_be32(batch, NFTA_IMMEDIATE_DREG, reg);
    put_value(batch, NFTA_IMMEDIATE_DATA, value, len);
    close_expression(batch, e);
}

static void set_mark(struct batch *batch, uint32_t mark)
{
    immediate(batch, NFT_REG_1, &mark, sizeof mark);
    struct expression e = open_expression(batch, "meta");
    put_be32(batch, NFTA_META_SREG, NFT_REG_1);
    put_be32(batch, NFTA_META_KEY, NFT_META_MARK);
    close_expression(batch, e);
}

static void load_connection_mark(struct batch *batch)
{
    struct expression e = open_expression(batch, "ct");
    put_be32(batch, NFTA_CT_DREG, NFT_REG_1);
    put_be32(batch, NFTA_CT_KEY, NFT_CT_MARK);
    close_expression(batch, e);
}

static void set_connection_mark(struct batch *batch, uint32_t mark)
{
    immediate(batch, NFT_REG_1, &mark, sizeof mark);
    struct expression e = open_expression(batch, "ct");
    put_be32(batch, NFTA_CT_SREG, NFT_REG_1);
    put_be32(batch, NFTA_CT_KEY, NFT_CT_MARK);
    close_expression(batch, e);
}

static void accept_packet(struct batch *batch)
{
    struct expression e = open_expression(batch, "immediate");
    put_be32(batch, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    struct nlattr *data = mnl_attr_nest_start(batch->header, NFTA_IMMEDIATE_DATA);
    struct nlattr *verdict = mnl_attr_nest_start(batch->header, NFTA_DATA_VERDICT);
    put_be32(batch, NFTA_VERDICT_CODE, NF_ACCEPT);
    mnl_attr_nest_end(batch->header, verdict);
    mnl_attr_nest_end(batch->header, data);
    close_expression(batch, e);
}

static void tproxy_to(struct batch *batch, uint32_t ip, uint16_t port)
{
    immediate(batch, NFT_REG_1, &ip, sizeof ip);
    immediate(batch, NFT_REG_2, &port, sizeof port);
    struct expression e = open_expression(batch, "tproxy");
    put_be32(batch, NFTA_TPROXY_FAMILY, NFPROTO_IPV4);
    put_be32(batch, NFTA_TPROXY_REG_ADDR, NFT_REG_1);
    put_be32(batch, NFTA_TPROXY_REG_PORT, NFT_REG_2);
    close_expression(batch, e);
}

/* @return the open list of its expressions */
static struct nlattr *start_rule(struct batch *batch, const char *chain)
{
    start_nft(batch, NFT_MSG_NEWRULE);
    mnl_attr_put_strz(batch->header, NFTA_RULE_TABLE, batch->table);
    mnl_attr_put_strz(batch->header, NFTA_RULE_CHAIN, chain);
    return mnl_attr_nest_start(batch->header, NFTA_RULE_EXPRESSIONS);
}

static struct nlattr *start_gateway_rule(struct batch *batch, unsigned iif)
{
    const uint8_t tcp = IPPROTO_TCP;
    struct nlattr *list = start_rule(batch, GATEWAY_CHAIN);
    load_meta(batch, NFT_META_IIF);
    compare(batch, NFT_CMP_EQ, &iif, sizeof iif);
    load_meta(batch, NFT_META_L4PROTO);
    compare(batch, NFT_CMP_EQ, &tcp, sizeof tcp);
    return list;
}

static void finish_rule(struct batch *batch, struct nlattr *list)
{
    mnl_attr_nest_end(batch->header, list);
    finish(batch);
}

static void finish_gateway_rule(struct batch *batch, struct nlattr *list, uint32_t mark)
{
    set_mark(batch, mark);
    accept_packet(batch);
    finish_rule(batch, list);
}

static void add_table(struct batch *batch)
{
    start_nft(batch, NFT_MSG_NEWTABLE);
    mnl_attr_put_strz(batch->header, NFTA_TABLE_NAME, batch->table);
    finish(batch);
}

static void add_chain(struct batch *batch, const char *chain, uint32_t hook_number)
{
    start_nft(batch, NFT_MSG_NEWCHAIN);
    mnl_attr_put_strz(batch->header, NFTA_CHAIN_TABLE, batch->table);
    mnl_attr_put_strz(batch->header, NFTA_CHAIN_NAME, chain);
    struct nlattr *hook = mnl_attr_nest_start(batch->header, NFTA_CHAIN_HOOK);
    put_be32(batch, NFTA_HOOK_HOOKNUM, hook_number);
    put_be32(batch, NFTA_HOOK_PRIORITY, (uint32_t)PRIORITY_MANGLE);
    mnl_attr_nest_end(batch->header, hook);
    mnl_attr_put_strz(batch->header, NFTA_CHAIN_TYPE, "filter");
    finish(batch);
}

/* A SYN must not match a transparent socket: one in TIME_WAIT would swallow a new connection that
 * reuses its addresses. It goes by way of tun0, where tproxy knows what to do with it. */
static void add_socket_rule(struct batch *batch, unsigned iif, uint32_t mark)
{
    const uint8_t opening = SYN, yes = 1;
    struct nlattr *list = start_gateway_rule(batch, iif);
    load_tcp_flags(batch, SYN | ACK);
    compare(batch, NFT_CMP_NEQ, &opening, sizeof opening);
    load_socket_transparent(batch);
    compare(batch, NFT_CMP_EQ, &yes, sizeof yes);
    finish_gateway_rule(batch, list, mark);
}

static void add_tproxy_rule(struct batch *batch, unsigned iif, uint16_t port, uint32_t mark)
{
    const uint8_t opening = SYN;
    struct nlattr *list = start_gateway_rule(batch, iif);
    load_tcp_flags(batch, FIN | SYN | RST | ACK);
    compare(batch, NFT_CMP_EQ, &opening, sizeof opening);
    tproxy_to(batch, htonl(INADDR_LOOPBACK), htons(port));
    finish_gateway_rule(batch, list, mark);
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
static int send_batch(const struct batch *batch)
{
    union {
        struct nlmsghdr align;
        char space[BATCH_MAX];
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

/* Between the two: tables, chains and rules. @return 0 or -ENOMEM */
static int start_batch(struct batch *batch, char *space, size_t size)
{
    batch->messages = mnl_nlmsg_batch_start(space, size);
    if (!batch->messages)
        return -ENOMEM;
    start(batch, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    finish(batch);
    return 0;
}

static int finish_batch(struct batch *batch)
{
    start(batch, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    finish(batch);
    int r = send_batch(batch);
    mnl_nlmsg_batch_stop(batch->messages);
    return r;
}

int nft_install(unsigned child_index, unsigned tun_index, uint16_t port, uint32_t mark,
                struct err *err)
{
    char space[BATCH_MAX];
    struct batch batch = {.seq = 1, .family = NFPROTO_IPV4, .table = GATEWAY_TABLE};
    int r = start_batch(&batch, space, sizeof space);
    if (r >= 0) {
        add_table(&batch);
        add_chain(&batch, GATEWAY_CHAIN, NF_INET_PRE_ROUTING);
        add_socket_rule(&batch, child_index, mark);
        add_tproxy_rule(&batch, tun_index, port, mark);
        r = finish_batch(&batch);
    }
    if (r < 0)
        return err_sys(err, -r,
                       "cannot load the packet rules; the kernel needs nf_tables with nft_tproxy "
                       "and nft_socket (rootless-setup check tests them)");
    return 0;
}

static void add_mark_rules(struct batch *batch, const struct nft_marks *marks)
{
    struct nlattr *list = start_rule(batch, "output");
    load_meta(batch, NFT_META_MARK);
    compare(batch, NFT_CMP_EQ, &marks->socket, sizeof marks->socket);
    set_connection_mark(batch, marks->connection);
    finish_rule(batch, list);
    list = start_rule(batch, "prerouting");
    load_connection_mark(batch);
    compare(batch, NFT_CMP_EQ, &marks->connection, sizeof marks->connection);
    set_mark(batch, marks->packet);
    finish_rule(batch, list);
}

int nft_install_marks(int family, const struct nft_marks *marks, struct err *err)
{
    char space[BATCH_MAX];
    struct batch batch = {
        .seq = 1, .family = family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4, .table = CHILD_TABLE};
    int r = start_batch(&batch, space, sizeof space);
    if (r >= 0) {
        add_table(&batch);
        add_chain(&batch, "output", NF_INET_LOCAL_OUT);
        add_chain(&batch, "prerouting", NF_INET_PRE_ROUTING);
        add_mark_rules(&batch, marks);
        r = finish_batch(&batch);
    }
    return r < 0 ? err_sys(err, -r, "cannot load nf_tables rules (the kernel needs nft_ct)") : 0;
}
