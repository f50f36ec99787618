/* The packet rules of the gateway's and the child's namespace. */
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

/** How connections that bear a foreign source address are told apart. */
struct rules_marks {
    uint32_t socket;     /**< SO_MARK of the socket that opens one */
    uint32_t connection; /**< conntrack's mark for it from then on */
    uint32_t packet;     /**< what each answer of it gets, for the routing rules */
    uint64_t flow_ms;    /**< how long a UDP one is known without a datagram */
};

/** UDP flows that are known at a time, until their time is over; what opens another is refused,
 * with EPERM: strangers may cause them. */
#define RULES_FLOWS 65536

/**
 * In a table "rootlesskit" of @p family (AF_INET or AF_INET6), in the calling thread's namespace:
 *   chain "udp":        the two ways of a datagram, below
 *   chain "output":     a packet with the socket's mark   -> its connection gets the mark;
 *                       an answer, or an error, of such a connection -> the packet's mark
 *   chain "prerouting": a packet of a connection with the mark -> the packet's mark
 *
 * A UDP service that listens at every address answers from the one that its route to the client
 * suggests, which conntrack takes for another connection; and once it has connected its socket, it
 * is there for that address only. Two maps lead from client, its port and the service's port to
 *   "asked":    the service's address as the client's socket has it
 *   "answered": the one that the service has answered from
 * A datagram with the socket's mark puts what it asks into the first, and goes to what is in the
 * second. A datagram of which the first knows puts its source into the second, gets what is in the
 * first for a source, and the packet's mark. What is refused is not in the second any more.
 */
int rules_install_marks(int family, const struct rules_marks *marks, struct err *err);
