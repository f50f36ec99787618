/* The two packet rules of the gateway namespace, put in place as one nfnetlink batch. */
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
