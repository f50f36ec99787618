/* Who has a socket open: how one that was given away is ended. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/**
 * Ends sockets that processes of the child have, wherever they are: one that listens refuses from
 * then on, a connection is reset. A process that we may not look into keeps its own.
 * @param inodes  of the sockets; sorted by the call
 */
void holders_end(uint32_t *inodes, size_t n);
