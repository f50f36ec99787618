/*
 * Who is at the other end of a connection, as the kernel says.
 *
 * The ids are those the peer had when it connected (SO_PEERCRED): whatever it executes or becomes
 * later, whoever it hands the socket to, the request is judged by them. The peer's pid is used for
 * no decision about rights. It only serves to turn away peers of other user namespaces, early and
 * with a line that says why: the kernel would refuse the maps they can ask for, and all the ids a
 * user can take on in a namespace of its own would otherwise count as so many users.
 */
#pragma once

#include <sys/types.h>

struct err;

struct peer {
    uid_t uid;
    gid_t gid;
};

/** Reads what is needed of this process's own namespaces, once. @return 0 or -errno */
int peer_init(struct err *err);
/** @return 0, or -errno with the line to be said to the peer */
int peer_identify(int conn, struct peer *ret, struct err *err);
