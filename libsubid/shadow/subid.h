/*
 * libsubid: the subordinate ids of this machine's users, by the interface of shadow's library of
 * that name (its version 6; a program built for version 4 or 5 finds the same functions).
 *
 * Ranges come from /etc/subuid and /etc/subgid, or from the plug-in that /etc/nsswitch.conf names.
 * Nothing is ever written to stdout; messages go where subid_init() says, stderr by default. Arrays
 * are the caller's, to be freed with free(3) or subid_free().
 *
 * Threads: subid_init() is called once, before others exist. All else may be called from any of
 * them; grant and ungrant wait for one another, and nobody may read users with getpwent(3) or
 * getgrent(3) meanwhile.
 */
#pragma once

#define SUBID_RANGE_DEFINED 1 /* shadow's guard: the two headers exclude one another */

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#define SUBID_ABI_VERSION 6.0.0
#define SUBID_ABI_MAJOR 6
#define SUBID_ABI_MINOR 0
#define SUBID_ABI_MICRO 0

/** Ids [start, start + count). */
struct subid_range {
    unsigned long start;
    unsigned long count;
};

/** Somebody's. */
struct subordinate_range {
    const char *owner; /**< a login name, or a uid in digits */
    unsigned long start;
    unsigned long count;
};

/** For plug-ins: what is asked for, and how the answer went. */
enum subid_type { ID_TYPE_UID = 1, ID_TYPE_GID = 2 };
enum subid_status {
    SUBID_STATUS_SUCCESS = 0,
    SUBID_STATUS_UNKNOWN_USER = 1,
    SUBID_STATUS_ERROR_CONN = 2,
    SUBID_STATUS_ERROR = 3,
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Need not be called.
 * @param progname  how messages begin; copied. NULL: "(libsubid)"
 * @param logfd     where they go; must stay open. NULL: nowhere
 * @return false when there is no memory
 */
bool subid_init(const char *progname, FILE *logfd);
/** The same as free(3). */
void subid_free(void *ptr);

/**
 * All ranges of a user, in their source's order.
 * @param owner   a login name, or a uid in digits
 * @param ranges  set to an array, or NULL when there are none
 * @return how many; -1 on an error, for a missing file too
 */
int subid_get_uid_ranges(const char *owner, struct subid_range **ranges);
int subid_get_gid_ranges(const char *owner, struct subid_range **ranges);
/**
 * The uids of those whose ranges hold an id, each once. Owners that are no users any more do not
 * count. @return how many, with *owner set as above; -1 on an error
 */
int subid_get_uid_owners(uid_t uid, uid_t **owner);
int subid_get_gid_owners(gid_t gid, uid_t **owner);

/**
 * Gives a user a new range of range->count ids: the lowest free ones of the window in login.defs(5)
 * that are in nobody's range and nobody's own. range->start is not read.
 * @param reuse  take a range he has already, if one has that many ids
 * @return true, with start and count of the range set; false on an error, with nothing changed. It
 *         is one when the user does not exist, or when the ranges come from a plug-in.
 */
bool subid_grant_uid_range(struct subordinate_range *range, bool reuse);
bool subid_grant_gid_range(struct subordinate_range *range, bool reuse);
/** Takes ids away from their owner, who need not exist any more; what else he has stays.
 *  @return false on an error, and when he had none of them */
bool subid_ungrant_uid_range(struct subordinate_range *range);
bool subid_ungrant_gid_range(struct subordinate_range *range);

#ifdef __cplusplus
}
#endif

/** Fields of a line in the files. */
#define SUBID_NFIELDS 3
