/*
 * Asking the system's name services, and the plug-in that hands out its subordinate ids, from a
 * privileged process without letting them in.
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

#include "lib/subid/subid.h"

struct err;

#define IDMAP_NSS_HELPER ROOTLESS_LIBEXECDIR "/rootless-nss"
#define IDMAP_NSS_LINE_MAX 1024
/** Directory services may be slow; a hanging one must not hang us. */
#define IDMAP_NSS_TIMEOUT_MS 10000

/** What the helper is asked: its first argument. */
#define IDMAP_NSS_PASSWD "passwd" /**< UID */
#define IDMAP_NSS_COVERS "covers" /**< SOURCE, "uid" or "gid", OWNER, MAP */

/** Exit statuses of the helper. */
enum idmap_nss_exit {
    IDMAP_NSS_FOUND = 0,  /**< stdout has "NAME:x:UID:GID:\n", or one '0' or '1' an extent */
    IDMAP_NSS_FAILED = 1, /**< stdout has the reason, or nothing */
    IDMAP_NSS_ABSENT = 2, /**< the name services know no such uid */
};

/**
 * Asks for the passwd entry of @p uid.
 * @param ret  the helper's line, not NUL-terminated
 * @return its length; 0: no such entry, or no helper installed; -errno: no answer
 */
int idmap_nss_passwd(uid_t uid, char ret[IDMAP_NSS_LINE_MAX], struct err *err);
/**
 * Asks the plug-in libsubid_SOURCE.so which extents of a map lie within the ranges of @p owner.
 * @param map  the extents as idmap_extents_format() writes them
 * @param ret  one character an extent: '1' for yes, '0' for no; not NUL-terminated
 * @return number of characters; -errno: no answer (the plug-in's own words are in the message)
 */
int idmap_nss_covers(const char *source, enum subid_kind kind, const char *owner, const char *map,
                     char ret[IDMAP_NSS_LINE_MAX], struct err *err);
