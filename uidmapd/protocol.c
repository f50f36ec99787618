#include "uidmapd/protocol.h"

#include <errno.h>
#include <string.h>

#include "lib/base/str.h"

void uidmapd_request_make(const struct idmap_request *from, struct uidmapd_request *ret)
{
    *ret = (struct uidmapd_request){
        .version = UIDMAPD_VERSION,
        .kind = from->kind,
        .n = (uint32_t)from->extents.n,
    };
    memcpy(ret->extents, from->extents.list, from->extents.n * sizeof ret->extents[0]);
}

/* The bounds of idmap_extents_parse(): with them no later sum can wrap. */
static int check_bounds(enum subid_kind kind, const struct idmap_extent *extent, struct err *err)
{
    uint32_t top = extent->inside > extent->outside ? extent->inside : extent->outside;
    if (top == UINT32_MAX || extent->count == 0 || extent->count > UINT32_MAX - top)
        return err_set(err, ERANGE, "sub%s overflow detected: range %u %u %u",
                       idmap_kind_name(kind), extent->inside, extent->outside, extent->count);
    return 0;
}

int uidmapd_request_read(const struct uidmapd_request *from, int target_fd,
                         struct idmap_request *ret, struct err *err)
{
    if (from->version != UIDMAPD_VERSION)
        return err_set(err, EPROTO, "uidmapd speaks version %d of its protocol, the client %u",
                       UIDMAPD_VERSION, from->version);
    if (from->kind != SUBID_UID && from->kind != SUBID_GID)
        return err_set(err, EPROTO, "uidmapd knows no map of kind %u", from->kind);
    if (from->n == 0 || from->n > IDMAP_EXTENTS_MAX)
        return err_set(err, EPROTO, "uidmapd takes 1 to %d ranges, not %u", IDMAP_EXTENTS_MAX,
                       from->n);
    ret->kind = from->kind == SUBID_UID ? SUBID_UID : SUBID_GID;
    ret->target = (struct idmap_target){.pid = -1, .fd = target_fd};
    for (uint32_t i = 0; i < from->n; i++) {
        int r = check_bounds(ret->kind, &from->extents[i], err);
        if (r < 0)
            return r;
        ret->extents.list[i] = from->extents[i];
    }
    ret->extents.n = from->n;
    return idmap_extents_check(ret->kind, &ret->extents, err);
}

void uidmapd_answer_make(const struct err *err, struct uidmapd_answer *ret)
{
    *ret = (struct uidmapd_answer){.code = err->code};
    (void)str_copy(ret->text, sizeof ret->text, err->msg);
}
