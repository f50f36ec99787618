/*
 * Ways of relaying bytes between two TCP sockets, each a process with one thread that joins every
 * connection it accepts with one that it makes. They differ in how bytes are moved and waited for:
 * accepting and dialling is relay.c's, with the same system calls for all of them.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>

struct err;

/** Relays for ever between connections of @p listener (borrowed, bound) and ones to @p to. Calls
 *  relay_listen() when all is there that it needs: whoever sees the port open can rely on it.
 *  @return -errno */
typedef int relay_way_fn(int listener, const struct sockaddr_in *to, struct err *err);

/** recv(2) into a buffer of 64 KiB or 1 MiB, send(2) of it. */
relay_way_fn relay_copy_64k, relay_copy_1m;
/** splice(2) through a pipe of 1 MiB. */
relay_way_fn relay_splice;
/** io_uring: one receive a way that stays armed, into buffers that the kernel picks, and sendmsg of
 *  all that has come. Only where there is liburing. */
relay_way_fn relay_uring;

/** Opens the port. @return 0 or -errno */
int relay_listen(int listener, struct err *err);
/** A connection to @p to; @p flags: SOCK_NONBLOCK or 0. Loopback connects at once, so that waiting
 *  for it stops nobody. @return the fd, or -errno */
int relay_dial(const struct sockaddr_in *to, int flags);
/** One connection accepted from @p listener, which does not block, and the one it is joined with.
 *  A client whose server cannot be reached is closed. @return false when there was none to join */
bool relay_accept(int listener, const struct sockaddr_in *to, int ret[2]);
