/*
 * Which thread is in which network namespace, and what it sets up there. A socket belongs to the
 * namespace of the thread that made it, whoever uses it later; this module alone decides who makes
 * one where.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>

#include "rootlesskit/gateway/icmp.h"
#include "rootlesskit/gateway/place_sockets.h"

struct err;
struct gateway_config;

/** What the gateway namespace G leaves behind; the sockets keep it alive. All owned by the caller.
 */
struct place_gateway {
    int tun_fd; /**< tun0, packets without a header before them */
    struct place_sockets v4, v6;
    struct icmp_sockets icmp;
    unsigned char mac[6]; /**< of gw0, for the child's neighbour entries */
    bool ipv6;            /**< wanted, and there */
    int netns_fd;         /**< G itself */
};

#define PLACE_GATEWAY_UNSET                                                     \
    {                                                                           \
        .tun_fd = -EBADF, .v4 = PLACE_SOCKETS_UNSET, .v6 = PLACE_SOCKETS_UNSET, \
        .icmp = {-EBADF, -EBADF}, .netns_fd = -EBADF,                           \
    }

/**
 * Makes G in a thread of its own, which ends: the veth into C, tun0, routes, rules, sockets.
 * The calling thread stays where it is.
 */
int place_make_gateway(const struct gateway_config *config, struct place_gateway *ret,
                       struct err *err);
/**
 * Moves the calling thread into C for good.
 * A thread that joined the child's user namespace could not go back to the host's network.
 */
int place_enter_child(const struct gateway_config *config, struct err *err);
/** Sets up C from within: loopback and, for the gateway network, the child's end of the veth.
 *  @param gateway  G's, made; not looked at without the network */
int place_set_up_child(const struct gateway_config *config, const struct place_gateway *gateway,
                       struct err *err);
