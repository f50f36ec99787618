/*
 * Asking the system's name services from a privileged process without letting them in.
 *
 * The question goes to a helper program of ours in a forked child that has dropped every
 * capability and runs as the caller. As the caller could trace its own processes and put words
 * into the answer, the helper is installed unreadable (mode 0711, root): the kernel lets nobody
 * trace, or reach the pipe of, a program that its user may not read. That is checked on the open
 * file right before it is run, and a helper that is readable is not run at all.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct err;

#define IDMAP_NSS_HELPER ROOTLESS_LIBEXECDIR "/rootless-nss"
#define IDMAP_NSS_LINE_MAX 1024
/** Directory services may be slow; a hanging one must not hang us. */
#define IDMAP_NSS_TIMEOUT_MS 10000

/** Exit statuses of the helper. */
enum idmap_nss_exit {
    IDMAP_NSS_FOUND = 0, /**< one passwd(5) line "NAME:x:UID:GID:" is on stdout */
    IDMAP_NSS_FAILED = 1,
    IDMAP_NSS_ABSENT = 2, /**< the name services know no such uid */
};

/**
 * Asks for the passwd entry of @p uid.
 * @param ret  the helper's line, not NUL-terminated
 * @return its length; 0: no such entry, or no helper installed; -errno: no answer
 */
int idmap_nss_ask(const char *helper, uid_t uid, char *ret, size_t size, struct err *err);
