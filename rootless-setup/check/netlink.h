/*
 * One netlink request or batch, and the kernel's verdict on it. Only what the probes need: links,
 * rules, routes and nf_tables rule sets in a scratch network namespace.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct nlmsghdr;

/** Room for the largest rule set a probe loads. */
#define NETLINK_BATCH_MAX 8192

struct netlink_batch {
    char data[NETLINK_BATCH_MAX] __attribute__((aligned(4)));
    size_t len;
    uint32_t seq;
};

/** Begins a message of @p type behind the others, with a zeroed family header of @p extra_len bytes
 *  at *ret_extra. It grows by libmnl's attribute calls until netlink_end(). */
struct nlmsghdr *netlink_begin(struct netlink_batch *batch, uint16_t type, uint16_t flags,
                               size_t extra_len, void **ret_extra);
/** Closes the message. */
void netlink_end(struct netlink_batch *batch, const struct nlmsghdr *message);
/**
 * Sends the batch over a socket of @p bus (NETLINK_ROUTE, NETLINK_NETFILTER) and waits for the
 * answer to every message with NLM_F_ACK.
 * @return 0, or -errno: the first refusal
 */
int netlink_send(struct netlink_batch *batch, int bus);

/** The frame that nf_tables wants around its messages. */
void netlink_nft_begin(struct netlink_batch *batch);
void netlink_nft_end(struct netlink_batch *batch);
/** An nf_tables message (NFT_MSG_*) for @p family. */
struct nlmsghdr *netlink_nft(struct netlink_batch *batch, uint16_t type, uint16_t flags,
                             uint8_t family);
