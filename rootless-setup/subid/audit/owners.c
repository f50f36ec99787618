#include "rootless-setup/subid/audit/families.h"

static void look_at(const struct audit_view *view, const struct audit_range *range,
                    struct audit_findings *findings)
{
    const struct audit_owner *owner = &view->owners[range->owner];
    if (owner->digits_name && (uid_t)-1 != owner->uid)
        audit_find(findings, audit_at_range(view, AUDIT_OWNER_DIGITS, range),
                   "%s is a login name and the uid of %s", owner->text, owner->login);
    else if (owner->digits_name)
        audit_find(findings, audit_at_range(view, AUDIT_OWNER_DIGITS, range),
                   "%s is a login name, but read as a uid", owner->text);
    if (owner->state == AUDIT_OWNER_NOT && !owner->digits_name)
        audit_find(findings, audit_at_range(view, AUDIT_OWNER_GONE, range), "no user %s",
                   owner->text);
    else if (owner->state == AUDIT_OWNER_ASK)
        audit_find(findings, audit_at_range(view, AUDIT_OWNER_UNKNOWN, range),
                   "nobody could say whether there is a user %s", owner->text);
    else if (owner->state == AUDIT_OWNER_OFF)
        audit_find(findings, audit_at_range(view, AUDIT_OWNER_DISABLED, range), "of user %s",
                   owner->text + 1);
}

/* Ranges of a user stand together, by kind. One finding a user and file is enough. */
static void look_for_two_ways(const struct audit_view *view, size_t first, size_t end,
                              struct audit_findings *findings)
{
    const struct audit_range *ranges = view->ranges;
    bool found[2] = {false, false};
    for (size_t i = first + 1; i < end; i++) {
        enum subid_kind kind = ranges[i].kind;
        if (found[kind] || ranges[i - 1].kind != kind || ranges[i - 1].owner == ranges[i].owner)
            continue;
        found[kind] = true;
        struct audit_finding finding = audit_at_range(view, AUDIT_OWNER_TWICE, &ranges[i]);
        finding.other_line = ranges[i - 1].entry + 1;
        audit_find(findings, finding, "%s here is %s in line %zu",
                   view->owners[ranges[i].owner].text, view->owners[ranges[i - 1].owner].text,
                   finding.other_line);
    }
}

void audit_find_owners(const struct audit_view *view, struct audit_findings *findings)
{
    for (size_t i = 0; i < view->n_ranges; i++)
        look_at(view, &view->ranges[i], findings);
    for (size_t first = 0, end = 0; first < view->n_ranges; first = end) {
        end = audit_user_end(view, first);
        look_for_two_ways(view, first, end, findings);
    }
}
