/* Sockets that connect without blocking, from the network namespace of the calling thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/** How much of @p address its family uses. */
socklen_t dial_length(const struct sockaddr_storage *address);
/**
 * Begins to connect.
 * @param type   SOCK_STREAM or SOCK_DGRAM
 * @param local  the path does not leave this host: nothing to probe for, so TCP does not pace (a
 * host whose default is BBR would; reno is always allowed)
 * @return a connecting or connected socket, or -errno
 */
int dial(const struct sockaddr_storage *to, int type, bool local);
/** Its two halves: the socket with its options. @return a socket or -errno */
int dial_socket(int family, int type, bool local);
/** ... and connect(2). @return 0, or -errno: -EINPROGRESS, then -EALREADY while it goes on */
int dial_connect(int fd, const struct sockaddr_storage *to);
/** What @p fd sends has this type of service, or traffic class; of TCP without ECN's bits, which
 * are the kernel's. */
void dial_set_tos(int fd, int family, uint8_t tos);
/** Whether datagrams of @p fd are never cut: one too long for the path is refused with EMSGSIZE. */
void dial_keep_whole(int fd, int family, bool whole);
