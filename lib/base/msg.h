/*
 * Fixed messages over a SOCK_SEQPACKET pair: one struct a message, at most MSG_FDS_MAX fds beside
 * it. A message of any other size than expected is a protocol error (-EPROTO), never a partial
 * read.
 */
#pragma once

#include <stddef.h>

struct err;

#define MSG_FDS_MAX 16

/** Makes a close-on-exec pair. @return 0 or -errno */
int msg_pair(int ret[2], struct err *err);
/** Sends one message; waits while the peer's queue is full. @return 0 or -errno (EPIPE: peer gone)
 */
int msg_send(int sock, const void *buf, size_t len, const int *fds, size_t n_fds);
/**
 * Receives one message of exactly @p len bytes.
 * @param ret_fds  receives up to MSG_FDS_MAX close-on-exec fds, the caller's to close; NULL refuses
 * any
 * @return 1 on a message, 0 on end of file (peer gone), -EAGAIN on a non-blocking socket with
 *         nothing there, -EPROTO on another size or unwanted fds (which are closed), -EMFILE when
 *         this process has no room for the fds (all are closed): @p buf has the message
 */
int msg_recv(int sock, void *buf, size_t len, int *ret_fds, size_t *ret_n_fds);
/** The same for a message with one fd beside it at most: others are closed.
 *  @param ret_fd  the caller's to close; -EBADF when there is none */
int msg_recv_fd(int sock, void *buf, size_t len, int *ret_fd);
