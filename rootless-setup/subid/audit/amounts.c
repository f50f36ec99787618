#include "rootless-setup/subid/audit/families.h"

/* Images have files of nobody, 65534. */
#define ENOUGH 65536

/* crun's argument vector has room for so many lines of a map. */
#define CRUN_EXTENTS 6

/* What one user has in one file. */
struct share {
    const struct audit_range *first; /* NULL: nothing */
    size_t n;
    uint64_t ids; /* each once */
    uint64_t reach;
};

static void add(struct share *share, const struct audit_range *range)
{
    uint64_t from = range->start > share->reach ? range->start : share->reach;
    if (!share->first)
        share->first = range;
    share->n++;
    if (range->end > from) {
        share->ids += range->end - from;
        share->reach = range->end;
    }
}

static const char *kind_word(enum subid_kind kind)
{
    return kind == SUBID_UID ? "uids" : "gids";
}

static void look_at_share(const struct audit_view *view, const struct share *share,
                          struct audit_findings *findings)
{
    if (share->ids < ENOUGH)
        audit_find(findings, audit_at_range(view, AUDIT_TOO_FEW, share->first), "%llu %s in all",
                   (unsigned long long)share->ids, kind_word(share->first->kind));
    if (share->n + 1 > SUBID_RANGES_MAX)
        audit_find(findings, audit_at_range(view, AUDIT_TOO_MANY, share->first), "%zu ranges",
                   share->n);
    else if (share->n > CRUN_EXTENTS)
        audit_find(findings, audit_at_range(view, AUDIT_MANY_RANGES, share->first), "%zu ranges",
                   share->n);
}

static void compare(const struct audit_view *view, const struct share shares[2],
                    struct audit_findings *findings)
{
    const struct share *uids = &shares[SUBID_UID], *gids = &shares[SUBID_GID];
    if (!gids->first) {
        audit_find(findings, audit_at_range(view, AUDIT_ONE_FILE, uids->first),
                   "%llu uids, no gids", (unsigned long long)uids->ids);
    } else if (!uids->first) {
        audit_find(findings, audit_at_range(view, AUDIT_ONE_FILE, gids->first),
                   "%llu gids, no uids", (unsigned long long)gids->ids);
    } else if (uids->ids != gids->ids) {
        audit_find(findings, audit_at_range(view, AUDIT_UNLIKE, uids->first),
                   "%llu uids, but %llu gids", (unsigned long long)uids->ids,
                   (unsigned long long)gids->ids);
    } else if (uids->first->start != gids->first->start) {
        audit_find(findings, audit_at_range(view, AUDIT_UNLIKE, uids->first),
                   "uids from %llu, but gids from %llu", (unsigned long long)uids->first->start,
                   (unsigned long long)gids->first->start);
    }
}

void audit_find_amounts(const struct audit_view *view, struct audit_findings *findings)
{
    for (size_t first = 0, end = 0; first < view->n_ranges; first = end) {
        struct share shares[2] = {0};
        end = audit_user_end(view, first);
        if (view->owners[view->ranges[first].owner].state != AUDIT_OWNER_IS)
            continue;
        for (size_t i = first; i < end; i++)
            add(&shares[view->ranges[i].kind], &view->ranges[i]);
        for (int kind = SUBID_UID; kind <= SUBID_GID; kind++)
            if (shares[kind].first)
                look_at_share(view, &shares[kind], findings);
        compare(view, shares, findings);
    }
}
