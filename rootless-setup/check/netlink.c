#include "rootless-setup/check/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdbool.h>

struct nlmsghdr *netlink_begin(struct netlink_batch *batch, uint16_t type, uint16_t flags,
                               size_t extra_len, void **ret_extra)
{
    struct nlmsghdr *message = mnl_nlmsg_put_header(batch->data + batch->len);
    message->nlmsg_type = type;
    message->nlmsg_flags = NLM_F_REQUEST | flags;
    message->nlmsg_seq = ++batch->seq;
    *ret_extra = mnl_nlmsg_put_extra_header(message, extra_len);
    return message;
}

void netlink_end(struct netlink_batch *batch, const struct nlmsghdr *message)
{
    batch->len += (message->nlmsg_len + 3U) & ~3U; /* NLMSG_ALIGN is signed */
}

static void frame(struct netlink_batch *batch, uint16_t type)
{
    void *extra;
    struct nlmsghdr *message = netlink_begin(batch, type, 0, sizeof(struct nfgenmsg), &extra);
    struct nfgenmsg *header = extra;
    header->version = NFNETLINK_V0;
    header->res_id = __builtin_bswap16(NFNL_SUBSYS_NFTABLES);
    netlink_end(batch, message);
}

void netlink_nft_begin(struct netlink_batch *batch)
{
    frame(batch, NFNL_MSG_BATCH_BEGIN);
}

void netlink_nft_end(struct netlink_batch *batch)
{
    frame(batch, NFNL_MSG_BATCH_END);
}

struct nlmsghdr *netlink_nft(struct netlink_batch *batch, uint16_t type, uint16_t flags,
                             uint8_t family)
{
    void *extra;
    struct nlmsghdr *message =
        netlink_begin(batch, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
                      (uint16_t)(NLM_F_ACK | flags), sizeof(struct nfgenmsg), &extra);
    struct nfgenmsg *header = extra;
    header->nfgen_family = family;
    header->version = NFNETLINK_V0;
    return message;
}

/* Answers still due: one for every message that asked. */
static unsigned acks_due(struct netlink_batch *batch)
{
    unsigned due = 0;
    int left = (int)batch->len;
    const struct nlmsghdr *message = (const void *)batch->data;
    for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
        due += (message->nlmsg_flags & NLM_F_ACK) != 0;
    return due;
}

/* A refused batch is answered once for itself too, so the first refusal ends the wait. */
static int await(struct mnl_socket *sock, unsigned due)
{
    char buf[8192] __attribute__((aligned(4)));
    while (due > 0) {
        ssize_t n = mnl_socket_recvfrom(sock, buf, sizeof buf);
        if (n < 0)
            return -errno;
        int left = (int)n;
        const struct nlmsghdr *message = (const void *)buf;
        for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
            if (message->nlmsg_type != NLMSG_ERROR)
                continue;
            const struct nlmsgerr *answer = mnl_nlmsg_get_payload(message);
            if (answer->error != 0)
                return answer->error;
            due -= due > 0;
        }
    }
    return 0;
}

int netlink_send(struct netlink_batch *batch, int bus)
{
    struct mnl_socket *sock = mnl_socket_open2(bus, SOCK_CLOEXEC);
    if (!sock)
        return -errno;
    int r = 0;
    if (mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID) < 0 ||
        mnl_socket_sendto(sock, batch->data, batch->len) < 0)
        r = -errno;
    else
        r = await(sock, acks_due(batch));
    (void)mnl_socket_close(sock);
    return r;
}
