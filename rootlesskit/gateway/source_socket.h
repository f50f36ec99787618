/*
 * Sockets of the child's namespace that bear a foreign address: that of a published port's client.
 * What the namespace needs for it is source_ip.h's; whoever gets none makes a plain socket.
 */
#pragma once

#include <sys/socket.h>

#include "rootlesskit/gateway/gateway.h"

/**
 * A socket for the way from @p client to @p to, bound and not connected yet.
 * @param client  an IPv4 address may be one of a dual-stack socket; port 0: the kernel takes one
 * @param type    SOCK_STREAM or SOCK_DGRAM
 * @param rules   in use; UDP asks more of them, and a route to the client: a service's answer is
 *                sent, and so refused, like any other of its datagrams before the rules see it
 * @return the socket; -EADDRNOTAVAIL when the address must not be borrowed: a loopback or
 * link-local one, of another family than @p to, or the namespace's own; the kernel's -errno
 */
int source_socket_open(const struct sockaddr_storage *client, const struct sockaddr_storage *to,
                       int type, enum gateway_source_ip rules);
