/*
 * Sockets of this machine, by path.
 */
#pragma once

#include <sys/socket.h>

/**
 * Connects a stream.
 * @param seconds   how long connecting, each send and each receive may take; 0: a non-blocking
 * socket
 * @param ret_peer  gets who listens there, as unix(7) has it for SO_PEERCRED; or NULL
 * @return the fd, or -errno; -ENAMETOOLONG for a path that does not fit an address
 */
int local_connect(const char *path, unsigned seconds, struct ucred *ret_peer);
