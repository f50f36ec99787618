/* The TCP sockets of our network namespace, by socket diagnostics (sock_diag(7)); sockets are told
 * by their inodes, which an fd's stat(2) has too. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/** @return an fd, the caller's, or -errno */
int diag_open(void);
/** Which socket gets who connects to @p at, an address that was bound to. @return 0; -ENOENT: none
 *  listens; -errno */
int diag_listener(int fd, const struct sockaddr_storage *at, uint32_t *ret);
/** The sockets whose own port is @p port, listening or connected, in new memory.
 *  @return how many (the caller frees @p ret), or -errno */
ssize_t diag_sockets(int fd, uint16_t port, uint32_t **ret);
