/*
 * What uidmapd gives up before it accepts the first connection, for itself and all its workers.
 */
#pragma once

struct err;

/**
 * Keeps CAP_SETUID, CAP_SETGID and, if it is there, CAP_SETFCAP; no_new_privs; not dumpable; and
 * leaves no system call that changes files, mounts, namespaces, other processes or the kernel.
 * @param keep_unlink  a socket of our own making is to be removed at the end
 * @return 0; -EPERM when the two capabilities are not there
 */
int confine_broker(int keep_unlink, struct err *err);
