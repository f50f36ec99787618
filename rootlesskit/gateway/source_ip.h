/*
 * What the child's namespace C needs so that a service there sees a published port's real client:
 * the port thread connects from a socket that bears the client's address, and the answers to that
 * foreign address come back to it instead of leaving by the default route.
 *
 *   socket, SO_MARK  --its packets, where they come in-->  packet mark
 *   packet mark  --rule-->  table in which every address is local
 *
 * TCP: the service's accepted socket takes its packets' mark over (tcp_fwmark_accept), so its
 * answers are routed by it; so do those that the kernel gives without a socket (fwmark_reflect).
 * Those of a container, which the connection was passed on to by DNAT, get the mark when they come
 * in. What does not begin with the socket's mark is not touched.
 *
 * UDP: a service's socket has no mark, and its answer is routed before a rule sees it: the service
 * gets a source address and an error by that. So there must be a route to the client; a loopback
 * address may send to the default route, by a routing rule of its own; and the rules mark the
 * answer on its way out, which routes it anew.
 *
 * nft knows flows by addresses and ports (source_rules.h); iptables knows them by conntrack's mark,
 * of UDP only those whose answer has the source address that was asked.
 */
#pragma once

#include "rootlesskit/gateway/gateway.h"

struct err;

/** SO_MARK of the sockets that bear a client's address; routing and firewalls of C do not know it.
 */
#define SOURCE_IP_SOCKET_MARK 0x726b6970

/**
 * Prepares the calling thread's network namespace. IPv6 is left out where there is none.
 * @param wanted  GATEWAY_SOURCE_IP_AUTO takes nft, else iptables
 * @return the one in use, or -errno with the reason why connections will not bear their client's
 *         address; the namespace works as before then
 */
int source_ip_set_up(enum gateway_source_ip wanted, struct err *err);
