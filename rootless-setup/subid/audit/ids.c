#include "rootless-setup/subid/audit/families.h"

#include "lib/subid/provision.h"

/* The owner's own id of the range's kind; UINT32_MAX, which is none, when it is not known. */
static uint64_t own_id(const struct audit_owner *owner, enum subid_kind kind)
{
    if (owner->state != AUDIT_OWNER_IS)
        return UINT32_MAX;
    if (kind == SUBID_UID)
        return owner->uid;
    return owner->account ? owner->account->primary_gid : UINT32_MAX;
}

static void look_for_accounts(const struct audit_view *view, const struct audit_people *people,
                              const struct audit_range *range, struct audit_findings *findings)
{
    bool is_uid = range->kind == SUBID_UID;
    const struct subid_account *sorted = is_uid ? people->by_uid : people->by_gid;
    const struct subid_account *found = NULL, *own = NULL;
    size_t n_sorted = is_uid ? people->n_by_uid : people->n_by_gid;
    size_t n = audit_accounts_within(sorted, n_sorted, range->start, range->end, &found);
    uint64_t id = own_id(&view->owners[range->owner], range->kind);
    if (id >= range->start && id < range->end) { /* another finding */
        size_t n_own = audit_accounts_within(sorted, n_sorted, id, id + 1, &own);
        n -= n_own;
        if (own == found)
            found += n_own;
    }
    if (n == 0)
        return;
    struct audit_finding finding =
        audit_at_range(view, is_uid ? AUDIT_HOLDS_USER : AUDIT_HOLDS_GROUP, range);
    if (n == 1)
        audit_find(findings, finding, "%u is the id of %s", found->id, found->name);
    else
        audit_find(findings, finding, "%u is the id of %s, and there are %zu more", found->id,
                   found->name, n - 1);
}

static void look_for_own(const struct audit_view *view, const struct audit_range *range,
                         struct audit_findings *findings)
{
    const struct audit_owner *owner = &view->owners[range->owner];
    uint64_t own = own_id(owner, range->kind);
    if (own >= range->start && own < range->end)
        audit_find(findings, audit_at_range(view, AUDIT_HOLDS_OWN, range), "%s has the %s %u",
                   owner->login, range->kind == SUBID_UID ? "uid" : "gid", (unsigned)own);
}

static void look_for_reserved(const struct audit_view *view, const struct audit_range *range,
                              struct audit_findings *findings)
{
    struct subid_interval area;
    for (size_t i = 0; subid_reserved(i, &area); i++)
        if (range->start < area.end && area.start < range->end)
            audit_find(findings, audit_at_range(view, AUDIT_RESERVED, range), "%llu-%llu are %s",
                       (unsigned long long)area.start, (unsigned long long)area.end - 1, area.what);
}

void audit_find_ids(const struct audit_view *view, const struct audit_people *people,
                    const struct subid_limits limits[2], struct audit_findings *findings)
{
    for (size_t i = 0; i < view->n_ranges; i++) {
        const struct audit_range *range = &view->ranges[i];
        const struct subid_limits *window = &limits[range->kind];
        look_for_accounts(view, people, range, findings);
        look_for_own(view, range, findings);
        look_for_reserved(view, range, findings);
        if (range->start < window->min || range->end - 1 > window->max)
            audit_find(findings, audit_at_range(view, AUDIT_OUTSIDE_WINDOW, range),
                       "the window is %u-%u", window->min, window->max);
    }
}
