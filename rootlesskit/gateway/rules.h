/* The packet rules of the gateway's namespace. */
#pragma once

#include <netinet/in.h>
#include <stdint.h>

struct err;

struct rules_gateway {
    unsigned child_index; /**< gw0 */
    unsigned tun_index;   /**< tun0 */
    uint16_t tcp_port;    /**< of the transparent listener at the family's loopback address */
    uint16_t udp_port;    /**< of the socket there that gets datagrams */
    struct in6_addr dns;  /**< G's own address; tells the family */
    uint32_t mark;        /**< "local": netlink_mark_is_local() has a route for it */
};

/**
 * In table "gateway" of the family, chain "pre" (prerouting, before the route is chosen):
 *   gw0:  a TCP packet that opens nothing and belongs to a transparent socket  -> local
 *   gw0:  a datagram to a port of tunnels    -> its way, by tun0
 *   gw0:  a datagram, not to the DNS address -> its connected transparent socket, else udp_port
 *   gw0:  an echo request or an ICMP error   -> local
 *   tun0: a datagram                         -> as one of gw0
 *   tun0: a SYN                              -> tcp_port, local
 */
int rules_install_gateway(const struct rules_gateway *rules, struct err *err);
