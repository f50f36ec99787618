/*
 * The command's system call filter: bind(2) and listen(2), of it and of all that it starts, are
 * told to the parent before they happen (seccomp_unotify(2), Linux 5.0). Everything else passes;
 * the kernel keeps a bitmap of what always does (Linux 5.11).
 */
#pragma once

/**
 * Installs it for the calling process, which has CAP_SYS_ADMIN in its user namespace. Makes nothing
 * but system calls.
 * @return the fd on which the parent is told, the caller's; -errno: nothing was installed, EBUSY
 *         when a filter above tells somebody else (one filter of a process may)
 */
int handover_filter_install(void);
