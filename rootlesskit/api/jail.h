/* What rootlesskit-capture gives up before it reads a packet. */
#pragma once

struct err;

/**
 * Leaves the file system, drops every capability for good, and allows only the system calls that
 * take packets from a packet socket of libpcap's to an open file.
 * @return 0 or -errno
 */
int jail_enter(struct err *err);
