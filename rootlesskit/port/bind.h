/* The host side of a published port: listening sockets in the network namespace of the caller. */
#pragma once

struct err;
struct port_spec;

/**
 * Binds and listens (TCP; backlog SOMAXCONN). "tcp" with no or an unspecified address is one
 * dual-stack socket where the host has IPv6 (Go's net.Listen, which RootlessKit uses); tcp4 and
 * tcp6 are strict. @return a non-blocking close-on-exec fd, or -errno with a message that says what
 * to do (EACCES: ip_unprivileged_port_start or CAP_NET_BIND_SERVICE; EADDRINUSE: which port)
 */
int port_bind(const struct port_spec *spec, struct err *err);
