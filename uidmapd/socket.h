/*
 * The socket uidmapd listens on: handed over by the service manager, or made by itself.
 */
#pragma once

struct err;

struct listener {
    int fd;
    int lock_fd;      /**< held for as long as a socket of our own making is ours; -EBADF else */
    const char *path; /**< of a socket of our own making, NULL else */
};

/**
 * Takes the one socket of the sd_listen_fds(3) protocol.
 * @return 1; 0: the environment names none; -errno: it is not one that listens for SOCK_SEQPACKET
 */
int listener_inherit(struct listener *ret, struct err *err);
/**
 * Makes @p path, for everybody to connect to, in a folder that only root can write (made if it is
 * missing). One left behind by a dead broker is replaced.
 * @return 0, or -EADDRINUSE when a living one listens there
 */
int listener_bind(const char *path, struct listener *ret, struct err *err);
/** Closes; removes a socket of our own making. */
void listener_close(struct listener *listener);
