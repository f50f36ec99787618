/*
 * nf_tables rules of one network namespace and one table, put in place whole or not at all: one
 * nfnetlink batch.
 *
 *   nft_start(), nft_add_table(), nft_add_chain(),
 *   for each rule: nft_start_rule(), its expressions in order, nft_finish_rule(),
 *   nft_finish()
 *
 * An expression works on the first register: nft_load_...() fills it, nft_compare() ends the rule
 * for a packet unless it is as wanted.
 */
#pragma once

#include <linux/netfilter/nf_tables.h>
#include <stddef.h>
#include <stdint.h>

struct mnl_nlmsg_batch;
struct nlattr;
struct nlmsghdr;

#define NFT_BATCH_MAX 16384

struct nft_batch {
    char space[NFT_BATCH_MAX];
    struct mnl_nlmsg_batch *messages;
    struct nlmsghdr *header; /**< the message being built */
    uint32_t seq;
    uint8_t family; /**< NFPROTO_IPV4 or NFPROTO_IPV6 */
    const char *table;
    int expected; /**< acknowledgements */
};

/** A base chain. */
struct nft_chain {
    const char *name;
    const char *type; /**< "filter", "nat", "route" */
    uint32_t hook;    /**< NF_INET_PRE_ROUTING, ... */
    int32_t priority; /**< NF_IP_PRI_MANGLE, ... */
};

/** A map that packets fill: an element lives until it has not been set for a time. */
struct nft_map {
    const char *name;
    uint32_t key_type, data_type; /**< how nft(8) shows them: its own numbers */
    uint32_t key_len, data_len;   /**< bytes; of a key each part fills up four */
    uint32_t id;                  /**< not another map's of the batch */
    uint32_t size;                /**< elements */
    uint64_t timeout_ms;
};

/** Where the parts of a map's key stand, each in as many registers as its bytes fill up. What a
 *  map's data is read from and goes to is another one, beyond them. */
#define NFT_KEY_REGISTER NFT_REG32_00

/** @param family  AF_INET or AF_INET6. @return 0 or -ENOMEM */
int nft_start(struct nft_batch *batch, int family, const char *table);
void nft_add_table(struct nft_batch *batch);
void nft_add_chain(struct nft_batch *batch, const struct nft_chain *chain);
void nft_add_map(struct nft_batch *batch, const struct nft_map *map);
/** @return the open list of the rule's expressions, for nft_finish_rule() */
struct nlattr *nft_start_rule(struct nft_batch *batch, const char *chain);
void nft_finish_rule(struct nft_batch *batch, struct nlattr *list);
/** Sends it all. @return 0, or the kernel's first -errno: nothing has changed then */
int nft_finish(struct nft_batch *batch);

/** @param key  NFT_META_IIF, NFT_META_OIF, NFT_META_L4PROTO, NFT_META_MARK; @p op  nft_compare()'s
 */
void nft_match_meta(struct nft_batch *batch, uint32_t key, uint32_t op, const void *value,
                    size_t len);
/** @param base  NFT_PAYLOAD_NETWORK_HEADER or NFT_PAYLOAD_TRANSPORT_HEADER; @p offset, @p len in
 *  bytes */
void nft_load_payload(struct nft_batch *batch, uint32_t base, uint32_t offset, uint32_t len);
/** The same into another register than the first: NFT_KEY_REGISTER, NFT_REG_3, ... */
void nft_load_payload_to(struct nft_batch *batch, uint32_t reg, uint32_t base, uint32_t offset,
                         uint32_t len);
/** An IP address of the packet becomes that in @p reg; checksums follow.
 *  @param offset  in the IP header */
void nft_set_address(struct nft_batch *batch, uint32_t reg, uint32_t offset);
/** The key's data into @p reg; the rule ends for a packet that has none. */
void nft_look_up(struct nft_batch *batch, const struct nft_map *map, uint32_t reg);
/** Key and data into the map; the time of a key that is there begins anew, its data stays. The rule
 *  ends when there is no room. */
void nft_put(struct nft_batch *batch, const struct nft_map *map, uint32_t reg);
/** Takes the key out of the map. A key's first part must be as long as the data. */
void nft_forget(struct nft_batch *batch, const struct nft_map *map);
/** Whether the packet's socket is a transparent one: 1 byte, 0 or 1. */
void nft_load_socket_transparent(struct nft_batch *batch);
/** Those flags of a TCP packet that are in @p mask: TH_SYN, ... 1 byte. */
void nft_load_tcp_flags(struct nft_batch *batch, uint8_t mask);
/** @param op  NFT_CMP_EQ, NFT_CMP_NEQ */
void nft_compare(struct nft_batch *batch, uint32_t op, const void *value, size_t len);
void nft_set_mark(struct nft_batch *batch, uint32_t mark);
/** To the transparent socket of the packet's own addresses, else to the one at @p ip (the family's
 *  @p len bytes) and @p port (host byte order). */
void nft_tproxy(struct nft_batch *batch, const void *ip, size_t len, uint16_t port);
void nft_accept(struct nft_batch *batch);
/** Whoever sends the packet gets EPERM. */
void nft_drop(struct nft_batch *batch);
/** The sender's address becomes that of the interface by which the packet leaves (a nat chain). */
void nft_masquerade(struct nft_batch *batch);
