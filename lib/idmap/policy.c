#include "lib/idmap/policy.h"

#include <errno.h>

#include "lib/base/err.h"
#include "lib/base/str.h"

/* Ranges that a denial lists; a message is one line. */
#define SHOWN_MAX 4
#define SHOWN_LEN 32

int idmap_policy_target(const struct idmap_caller *caller, int etc_fd, uid_t target_uid,
                        gid_t target_gid, struct err *err)
{
    if (caller->uid != target_uid || caller->gid != target_gid)
        return err_set(err, EPERM,
                       "Target process is owned by a different user: caller has uid:%u gid:%u, "
                       "target has uid:%u gid:%u",
                       caller->uid, caller->gid, target_uid, target_gid);
    if (caller->named && caller->gid != caller->primary_gid && !idmap_caller_aux_groups(etc_fd))
        return err_set(err, EPERM,
                       "Target process is owned by a different user: gid:%u is not the primary "
                       "group of %s, pw_gid:%u; leave newgrp/sg, or set GRANT_AUX_GROUP_SUBIDS yes "
                       "in /etc/login.defs",
                       caller->gid, caller->name, caller->primary_gid);
    return 0;
}

bool idmap_policy_covered(const struct subid_range *ranges, size_t n, uint32_t start,
                          uint32_t count)
{
    uint32_t at = start, end = start + count;
    /* Each round passes a range for good, so there are at most n. */
    for (bool moved = true; at < end && moved;) {
        moved = false;
        for (size_t i = 0; i < n; i++) {
            if (ranges[i].start > at || ranges[i].start + ranges[i].count <= at)
                continue;
            at = ranges[i].start + ranges[i].count;
            moved = true;
        }
    }
    return at >= end;
}

static int deny(const struct idmap_caller *caller, enum subid_kind kind,
                const struct idmap_extent *extent, const struct subid_range *ranges, size_t n,
                struct err *err)
{
    char text[IDMAP_EXTENT_TEXT_MAX], list[SHOWN_MAX * SHOWN_LEN] = "nothing";
    size_t used = 0;
    for (size_t i = 0; i < n && i < SHOWN_MAX; i++) {
        int r = str_format(list + used, sizeof list - used, "%s%u+%u", i > 0 ? ", " : "",
                           ranges[i].start, ranges[i].count);
        used += r > 0 ? (size_t)r : 0;
    }
    return err_set(err, EPERM, "%s range %s not allowed: %s grants %s (uid %u) %s%s",
                   idmap_kind_name(kind), idmap_extent_text(extent, text), subid_path(kind),
                   caller->named ? caller->name : "the nameless user", caller->uid, list,
                   n > SHOWN_MAX ? ", ..." : "");
}

int idmap_policy_extents(const struct idmap_caller *caller, int etc_fd, enum subid_kind kind,
                         const struct idmap_extents *extents, bool *ret_granted, struct err *err)
{
    static struct subid_range ranges[SUBID_RANGES_MAX];
    uint32_t own = kind == SUBID_UID ? caller->uid : caller->gid;
    int n = subid_ranges(etc_fd, kind, caller->named ? caller->name : NULL, caller->uid, ranges,
                         SUBID_RANGES_MAX, err);
    if (n == -ENOENT)
        n = 0; /* a host without the file: one's own id can still be mapped */
    if (n < 0)
        return n;

    bool granted = false;
    for (size_t i = 0; i < extents->n; i++) {
        const struct idmap_extent *e = &extents->list[i];
        if (idmap_policy_covered(ranges, (size_t)n, e->outside, e->count))
            granted = true;
        else if (e->count != 1 || e->outside != own)
            return deny(caller, kind, e, ranges, (size_t)n, err);
    }
    *ret_granted = granted;
    return 0;
}
