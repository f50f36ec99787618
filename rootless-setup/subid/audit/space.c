#include "rootless-setup/subid/audit/space.h"

#include "lib/subid/provision.h"

static int take_foreign(const struct audit_people *people, struct subid_space *ret)
{
    struct subid_interval area;
    int r = subid_accounts_take(people->by_uid, people->n_by_uid, "", ret, NULL);
    if (r == 0)
        r = subid_accounts_take(people->by_gid, people->n_by_gid, "", ret, NULL);
    for (size_t i = 0; r == 0 && subid_reserved(i, &area); i++)
        r = subid_space_take(ret, area, NULL);
    return r;
}

int audit_space_make_foreign(const struct audit_people *people, struct subid_space *ret)
{
    int r = take_foreign(people, ret);
    subid_space_sort(ret);
    return r;
}

int audit_space_make(const struct audit_view *view, const struct audit_people *people,
                     enum subid_kind kind, struct subid_space *ret)
{
    int r = take_foreign(people, ret);
    for (size_t i = 0; i < view->n_ranges && r == 0; i++) {
        const struct audit_range *range = &view->ranges[i];
        if (range->kind == kind)
            r = subid_space_take(
                ret, (struct subid_interval){.start = range->start, .end = range->end}, NULL);
    }
    subid_space_sort(ret);
    return r;
}

bool audit_space_is_free(const struct subid_space *space, uint64_t start, uint64_t end)
{
    size_t low = 0, high = space->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (space->items[middle].start < end)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 || space->items[low - 1].reach <= start;
}
