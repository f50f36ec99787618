/*
 * The packet rules of the child's namespace C by which answers to a borrowed address come back to
 * the socket that bears it (source_ip.h). They do without conntrack, which every packet of C would
 * pass from the first rule on that asks it.
 */
#pragma once

#include <stdint.h>

struct err;

/** How packets of connections that bear a foreign source address are told apart. */
struct source_rules {
    uint32_t socket;  /**< SO_MARK of the socket that bears it */
    uint32_t packet;  /**< what each answer gets, for the routing rules */
    uint64_t flow_ms; /**< how long a UDP one is known without a datagram */
};

/** Flows that a map knows at a time, until their time is over: strangers may cause them. What opens
 *  another UDP one is refused, with EPERM; answers to another TCP one do not come back. */
#define SOURCE_RULES_FLOWS 65536

/**
 * In a table "rootlesskit" of @p family (AF_INET or AF_INET6), in the calling thread's namespace:
 *   chain "udp":         the two ways of a datagram, below
 *   chain "prerouting":  what comes with the socket's mark, from this namespace itself
 *                          -> the packet's mark, which a TCP service's socket and the kernel's own
 *                             answers take over (tcp_fwmark_accept, fwmark_reflect)
 *                        an answer, or an error, to what has left -> the packet's mark
 *   chain "postrouting": what leaves with the socket's mark is known from then on: by NAT, since it
 *                        was sent to this namespace
 *
 * Of what has left, three maps know client, its port, and the port it was led to: "carried" of
 * UDP, "open" of TCP, and "closing" when one side has ended it.
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
int source_rules_install(int family, const struct source_rules *rules, struct err *err);
