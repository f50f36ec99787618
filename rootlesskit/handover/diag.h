/* The TCP sockets of our network namespace, by socket diagnostics (sock_diag(7)); sockets are told
 * by their inodes, which an fd's stat(2) has too. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

struct port_place;

/** @return an fd, the caller's, or -errno */
int diag_open(void);
/** Which socket gets who connects to @p at, an address that was bound to. @param ret  may be NULL
 *  @return 0; -ENOENT: none listens; -errno */
int diag_listener(int fd, const struct sockaddr_storage *at, uint32_t *ret);
/** The sockets that are bound to @p place, those that listen, and the @p connected, in new memory.
 *  @return how many (the caller frees @p ret), or -errno */
ssize_t diag_sockets(int fd, const struct port_place *place, bool connected, uint32_t **ret);
