/*
 * Who may map what. The whole of the decision is here; it reads files and changes nothing.
 *
 *  1. The target is the caller's: its effective uid and gid are the caller's own uid and gid. Root
 *     is no exception.
 *  2. The caller's gid is the primary one of its passwd entry, unless GRANT_AUX_GROUP_SUBIDS is
 *     set. (A uid without passwd entry has no primary group to compare with.)
 *  3. Every extent's outer side lies within ranges that the sub-id file gives the caller, laid end
 *     to end, or is one id: the caller's own. Where nsswitch.conf names a plug-in for subid, that
 *     is asked instead of the file (and decides itself about ranges laid end to end).
 *
 * What an extent is called inside the namespace is no concern of the host's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/idmap/caller.h"
#include "lib/idmap/extent.h"

struct err;

/** Rules 1 and 2. @param etc_fd  holds "login.defs" @return 0 or -EPERM */
int idmap_policy_target(const struct idmap_caller *caller, int etc_fd, uid_t target_uid,
                        gid_t target_gid, struct err *err);
/**
 * Rule 3.
 * @param etc_fd       holds "nsswitch.conf", "subuid" and "subgid"
 * @param ret_granted  whether some extent stems from the source. If none does (own gid only), the
 *                     namespace must lose setgroups(2): nobody said that the caller may leave its
 *                     groups (CVE-2018-7169).
 * @return 0; -EPERM naming the extent and what the file does grant; -errno: no answer
 */
int idmap_policy_extents(const struct idmap_caller *caller, int etc_fd, enum subid_kind kind,
                         const struct idmap_extents *extents, bool *ret_granted, struct err *err);
/** Whether [start, start + count) lies within the union of @p ranges. Any order, overlaps welcome.
 */
bool idmap_policy_covered(const struct subid_range *ranges, size_t n, uint32_t start,
                          uint32_t count);
