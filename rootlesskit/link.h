/*
 * What parent and child tell each other, over one SOCK_SEQPACKET pair (lib/base/msg.h).
 *
 *   parent                         child
 *                    <- LINK_NETNS     with --detach-netns: the network namespace, one fd
 *   LINK_MAPPED      ->            its id maps are written: set up the mounts
 *   LINK_NETWORK     ->            the network is there, with resolv.conf and hosts
 *                    <- LINK_READY     the mounts are done
 *   LINK_GO          ->            ports, child_pid and API are there: start the command
 *                    <- LINK_HANDOVER  with --port-handover: where to hear of the command's calls,
 *                                      one fd, or code = why not
 *                    <- LINK_EXITED    the command ended, code = wait status
 *                    <- LINK_FAILED    set-up failed, text says why

 * End of file on either side means that the other process is dead.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum link_op {
    LINK_MAPPED = 1,
    LINK_NETWORK,
    LINK_READY,
    LINK_GO,
    LINK_EXITED,
    LINK_FAILED,
    LINK_NETNS,
    LINK_HANDOVER,
};

struct link_message {
    uint32_t op;
    int32_t code;
    char text[1024];
};

/** @return 0 or -errno (EPIPE: the other process is dead) */
int link_send(int link, enum link_op op, int code, const char *text);
/** The same with an fd (borrowed) beside it. */
int link_send_fd(int link, enum link_op op, int fd);
/** Waits for one message, whose text is ended. @return 0; -EPIPE when the other process is dead */
int link_receive(int link, struct link_message *ret);
/** The same, with the fd that came beside it, the caller's to close; -EBADF when there was none. */
int link_receive_fd(int link, struct link_message *ret, int *ret_fd);
