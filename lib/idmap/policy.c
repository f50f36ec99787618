#include "lib/idmap/policy.h"

#include <errno.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/idmap/nss.h"
#include "lib/subid/nsswitch.h"

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

/* What the source of the ranges says about the extents. */
struct grant {
    char source[SUBID_SOURCE_MAX];   /* "": the files */
    char covered[IDMAP_EXTENTS_MAX]; /* '1' or '0' an extent */
    struct subid_range ranges[SUBID_RANGES_MAX];
    size_t n_ranges; /* of the files only */
};

static const char *name_of(const struct idmap_caller *caller)
{
    return caller->named ? caller->name : "the nameless user";
}

static int deny(const struct idmap_caller *caller, enum subid_kind kind,
                const struct idmap_extent *extent, const struct grant *grant, struct err *err)
{
    char text[IDMAP_EXTENT_TEXT_MAX], list[SHOWN_MAX * SHOWN_LEN] = "nothing";
    size_t used = 0;
    if (grant->source[0])
        return err_set(err, EPERM,
                       "%s range %s not allowed: \"subid: %s\" (/etc/nsswitch.conf) does not grant "
                       "it to %s (uid %u)",
                       idmap_kind_name(kind), idmap_extent_text(extent, text), grant->source,
                       name_of(caller), caller->uid);
    for (size_t i = 0; i < grant->n_ranges && i < SHOWN_MAX; i++) {
        int r = str_format(list + used, sizeof list - used, "%s%u+%u", i > 0 ? ", " : "",
                           grant->ranges[i].start, grant->ranges[i].count);
        used += r > 0 ? (size_t)r : 0;
    }
    return err_set(err, EPERM, "%s range %s not allowed: %s grants %s (uid %u) %s%s",
                   idmap_kind_name(kind), idmap_extent_text(extent, text), subid_path(kind),
                   name_of(caller), caller->uid, list, grant->n_ranges > SHOWN_MAX ? ", ..." : "");
}

static int ask_files(const struct idmap_caller *caller, int etc_fd, enum subid_kind kind,
                     const struct idmap_extents *extents, struct grant *ret, struct err *err)
{
    int n = subid_ranges(etc_fd, kind, caller->named ? caller->name : NULL, caller->uid,
                         ret->ranges, SUBID_RANGES_MAX, err);
    if (n == -ENOENT)
        n = 0; /* a host without the file: one's own id can still be mapped */
    if (n < 0)
        return n;
    ret->n_ranges = (size_t)n;
    for (size_t i = 0; i < extents->n; i++) {
        const struct idmap_extent *e = &extents->list[i];
        bool yes = idmap_policy_covered(ret->ranges, ret->n_ranges, e->outside, e->count);
        ret->covered[i] = yes ? '1' : '0';
    }
    return 0;
}

/* With a plug-in the files count for nothing, as shadow has it. When it does not answer, nothing is
 * granted: a limit that the caller set must not bring back what the files once said. */
static int ask_plugin(const struct idmap_caller *caller, enum subid_kind kind,
                      const struct idmap_extents *extents, struct grant *ret, struct err *err)
{
    static char map[IDMAP_TEXT_MAX];
    char answer[IDMAP_NSS_LINE_MAX], number[16];
    (void)str_format(number, sizeof number, "%u", caller->uid);
    int r = idmap_extents_format(extents, sizeof map, map, err);
    if (r >= 0)
        r = idmap_nss_covers(ret->source, kind, caller->named ? caller->name : number, map, answer,
                             err);
    if (r < 0)
        return r;
    if ((size_t)r != extents->n)
        return err_set(err, EPROTO, "%d answers of \"subid: %s\" to %zu extents", r, ret->source,
                       extents->n);
    memcpy(ret->covered, answer, extents->n);
    return 0;
}

static bool is_own(const struct idmap_caller *caller, enum subid_kind kind,
                   const struct idmap_extent *extent)
{
    return extent->count == 1 && extent->outside == (kind == SUBID_UID ? caller->uid : caller->gid);
}

int idmap_policy_extents(const struct idmap_caller *caller, int etc_fd, enum subid_kind kind,
                         const struct idmap_extents *extents, bool *ret_granted, struct err *err)
{
    static struct grant grant;
    int r = subid_source_read(etc_fd, grant.source, err);
    if (r == 0)
        r = grant.source[0] ? ask_plugin(caller, kind, extents, &grant, err)
                            : ask_files(caller, etc_fd, kind, extents, &grant, err);
    if (r < 0)
        return r;
    bool granted = false;
    for (size_t i = 0; i < extents->n; i++) {
        if (grant.covered[i] == '1')
            granted = true;
        else if (!is_own(caller, kind, &extents->list[i]))
            return deny(caller, kind, &extents->list[i], &grant, err);
    }
    *ret_granted = granted;
    return 0;
}
