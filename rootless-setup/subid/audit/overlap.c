/*
 * Two lines that share ids. Pairs can be as many as the square of the lines, so each line is named
 * with one partner: going upwards the one before it that reaches furthest, and, for a line that
 * only later ones meet, the next.
 */
#include "rootless-setup/subid/audit/families.h"

#include <stdlib.h>

#include "lib/base/str.h"

/* The two most fitting ranges so far, of different users. */
struct best {
    const struct audit_range *first, *second;
};

static void report(const struct audit_view *view, enum audit_rule_id rule,
                   const struct audit_range *range, const struct audit_range *other,
                   struct audit_findings *findings)
{
    struct audit_finding finding = audit_at_range(view, rule, range);
    const struct subid_entry *entry = &view->db[other->kind]->entries[other->entry];
    finding.start = range->start > other->start ? range->start : other->start;
    finding.end = range->end < other->end ? range->end : other->end;
    finding.other_line = other->entry + 1;
    audit_find(findings, finding, "shares %llu ids (%llu-%llu) with line %zu, %.*s",
               (unsigned long long)(finding.end - finding.start), (unsigned long long)finding.start,
               (unsigned long long)finding.end - 1, finding.other_line,
               (int)(entry->len < 200 ? entry->len : 200), entry->text);
}

static void keep(struct best *best, const struct audit_range *range, bool better_than_first,
                 bool better_than_second)
{
    if (!best->first || better_than_first) {
        if (best->first && best->first->user != range->user)
            best->second = best->first;
        best->first = range;
    } else if (best->first->user != range->user && (!best->second || better_than_second)) {
        best->second = range;
    }
}

static const struct audit_range *of_another(struct best best, size_t user)
{
    return best.first && best.first->user == user ? best.second : best.first;
}

/* Ranges of one kind, [first, end) by start. named: those that have a partner. */
static void sweep_others(const struct audit_view *view, size_t first, size_t end, bool *named,
                         struct audit_findings *findings)
{
    struct best best = {0};
    const struct audit_range *ranges = view->by_start;
    for (size_t i = first; i < end; i++) {
        const struct audit_range *range = &ranges[i], *other = of_another(best, range->user);
        if (other && other->end > range->start) {
            report(view, AUDIT_OVERLAP, range, other, findings);
            named[i] = true;
        }
        keep(&best, range, best.first && range->end > best.first->end,
             best.second && range->end > best.second->end);
    }
    best = (struct best){0};
    for (size_t i = end; i > first; i--) {
        const struct audit_range *range = &ranges[i - 1], *other = of_another(best, range->user);
        if (!named[i - 1] && other && other->start < range->end)
            report(view, AUDIT_OVERLAP, range, other, findings);
        keep(&best, range, true, false);
    }
}

/* A user's own of one kind are sorted by start. */
static void sweep_own(const struct audit_view *view, struct audit_findings *findings)
{
    const struct audit_range *furthest = NULL;
    for (size_t i = 0; i < view->n_ranges; i++) {
        const struct audit_range *range = &view->ranges[i];
        if (furthest && (furthest->user != range->user || furthest->kind != range->kind))
            furthest = NULL;
        if (furthest && furthest->end > range->start)
            report(view, AUDIT_OWN_OVERLAP, range, furthest, findings);
        if (!furthest || range->end > furthest->end)
            furthest = range;
    }
}

void audit_find_overlaps(const struct audit_view *view, struct audit_findings *findings)
{
    cleanup_free bool *named = calloc(view->n_ranges + 1, sizeof *named);
    if (!named) {
        findings->no_memory = true;
        return;
    }
    size_t middle = 0;
    while (middle < view->n_ranges && view->by_start[middle].kind == SUBID_UID)
        middle++;
    sweep_others(view, 0, middle, named, findings);
    sweep_others(view, middle, view->n_ranges, named, findings);
    sweep_own(view, findings);
}
