/* The packet rules of the gateway's and the child's namespace, each put in place as one nfnetlink
 * batch. */
#pragma once

#include <stdint.h>

struct err;

/**
 * In table ip "gateway", chain "pre" (prerouting, before the route is chosen):
 *   iif child_index: a TCP packet that opens nothing and belongs to a transparent socket -> local
 *   iif tun_index:   a SYN -> tproxy to 127.0.0.1:port, local
 * "Local" is the mark, for which netlink_mark_is_local() has a route.
 * @param port  of the transparent listener, host byte order
 */
int nft_install(unsigned child_index, unsigned tun_index, uint16_t port, uint32_t mark,
                struct err *err);

/** How connections that bear a foreign source address are told apart. */
struct nft_marks {
    uint32_t socket;     /**< SO_MARK of the socket that opens one */
    uint32_t connection; /**< conntrack's mark for it from then on */
    uint32_t packet;     /**< what each packet of it that comes in gets, for the routing rules */
};

/**
 * In a table "rootlesskit" of @p family (AF_INET or AF_INET6), in the calling thread's namespace:
 *   chain "output":     a packet with the socket's mark -> its connection gets the mark
 *   chain "prerouting": a packet of a connection with the mark -> it gets the packet's mark
 */
int nft_install_marks(int family, const struct nft_marks *marks, struct err *err);
