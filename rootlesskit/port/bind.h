/* The host side of a published port: bound sockets in the network namespace of the caller. */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>

struct err;
struct port_spec;

/** Where a port is bound on the host. */
struct port_place {
    struct sockaddr_storage address;
    socklen_t len;
    bool dual; /**< one IPv6 socket that takes IPv4 too, where the host has IPv6 */
};

/** Of a checked spec. */
struct port_place port_place_of(const struct port_spec *spec);
/**
 * Binds; TCP and SCTP listen too (backlog SOMAXCONN), UDP tells where each datagram was sent to.
 * "tcp", "udp" and "sctp" with no or an unspecified address are one dual-stack socket where the
 * host has IPv6 (Go's net.Listen, which RootlessKit uses); with 4 or 6 behind them they are strict.
 * Port 0 takes one that is free, and puts it into @p spec. @return a non-blocking close-on-exec fd,
 * or -errno with a message that says what to do (EACCES: ip_unprivileged_port_start or
 * CAP_NET_BIND_SERVICE; EADDRINUSE: which port)
 */
int port_bind(struct port_spec *spec, struct err *err);
/** The two checked specs want an address and port of the parent's that only one socket can have. */
bool port_overlaps(const struct port_spec *a, const struct port_spec *b);
