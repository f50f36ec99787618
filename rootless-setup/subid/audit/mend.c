#include "rootless-setup/subid/audit/mend.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "rootless-setup/subid/audit/shape.h"
#include "rootless-setup/subid/audit/space.h"

/* Everything that the steps share. */
struct mending {
    struct subid_db *db;
    struct audit_people *people;
    const struct audit_view *before; /* knows the owners */
    struct audit_findings *mended;
};

static void rewrite(struct subid_db *db, size_t i, uint64_t start, uint64_t end)
{
    struct subid_line line = db->entries[i].line;
    line.start = (uint32_t)start;
    line.count = (uint32_t)(end - start);
    subid_db_rewrite(db, &db->entries[i], line);
}

/* ---- lines of users who are gone ---- */

static void drop_gone(struct mending *mending)
{
    const struct audit_view *view = mending->before;
    for (size_t i = 0; i < view->n_ranges; i++) {
        const struct audit_range *range = &view->ranges[i];
        const struct audit_owner *owner = &view->owners[range->owner];
        if (owner->state != AUDIT_OWNER_NOT || owner->digits_name)
            continue;
        struct subid_db *db = &mending->db[range->kind];
        subid_db_drop(db, &db->entries[range->entry]);
        audit_find(mending->mended, audit_at_range(view, AUDIT_OWNER_GONE, range),
                   "the line is removed");
    }
}

/* ---- spelling ---- */

static void write_plainly(struct mending *mending)
{
    const struct audit_view *view = mending->before;
    for (size_t i = 0; i < view->n_ranges; i++) {
        const struct audit_range *range = &view->ranges[i];
        struct subid_db *db = &mending->db[range->kind];
        struct subid_entry *entry = &db->entries[range->entry];
        struct audit_finding finding = audit_at_entry(db, AUDIT_LINE_SPELLING, range->entry);
        struct subid_line line = entry->line;
        if (entry->removed || audit_line_is_plain(entry->text, entry->len, &line))
            continue;
        subid_db_rewrite(db, entry, line);
        audit_find(mending->mended, finding, "is now %.*s:%" PRIu32 ":%" PRIu32,
                   (int)line.owner_len, line.owner, line.start, line.count);
    }
}

/* ---- an owner's own overlaps ---- */

/* Index behind the ranges that meet, one after the other, from @p first on. */
static size_t chain_end(const struct audit_view *view, size_t first, uint64_t *ret_reach)
{
    const struct audit_range *ranges = view->ranges;
    size_t end = first + 1;
    *ret_reach = ranges[first].end;
    while (end < view->n_ranges && ranges[end].user == ranges[first].user &&
           ranges[end].kind == ranges[first].kind && ranges[end].start < *ret_reach) {
        if (ranges[end].end > *ret_reach)
            *ret_reach = ranges[end].end;
        end++;
    }
    return end;
}

/* The line that stands first in the file stays, for the union of all. */
static void merge_chain(struct mending *mending, const struct audit_view *view, size_t first,
                        size_t end, uint64_t reach)
{
    size_t top = first;
    for (size_t i = first; i < end; i++) {
        if (view->ranges[i].owner != view->ranges[first].owner)
            return;
        if (view->ranges[i].entry < view->ranges[top].entry)
            top = i;
    }
    struct subid_db *db = &mending->db[view->ranges[first].kind];
    for (size_t i = first; i < end; i++) {
        const struct audit_range *range = &view->ranges[i];
        struct audit_finding finding = audit_at_range(view, AUDIT_OWN_OVERLAP, range);
        finding.other_line = i == top ? 0 : view->ranges[top].entry + 1;
        if (i == top && range->start == view->ranges[first].start && range->end == reach)
            continue; /* the union is itself */
        if (i == top) {
            rewrite(db, range->entry, view->ranges[first].start, reach);
            audit_find(mending->mended, finding, "now holds the ids %" PRIu64 "-%" PRIu64,
                       view->ranges[first].start, reach - 1);
        } else {
            subid_db_drop(db, &db->entries[range->entry]);
            audit_find(mending->mended, finding, "is now part of line %zu", finding.other_line);
        }
    }
}

static int merge_own(struct mending *mending, struct err *err)
{
    struct audit_view view;
    int r = audit_view_make(&view, mending->db, mending->people, mending->before, err);
    if (r < 0)
        return r;
    for (size_t i = 0, end = 0; i < view.n_ranges; i = end) {
        uint64_t reach = 0;
        end = chain_end(&view, i, &reach);
        if (end - i > 1)
            merge_chain(mending, &view, i, end, reach);
    }
    audit_view_free(&view);
    return 0;
}

/* ---- ranges that meet no other ---- */

/* Marks the ranges (by start) that share an id with another of their kind. */
static bool *find_clashes(const struct audit_view *view)
{
    const struct audit_range *ranges = view->by_start;
    bool *clashes = calloc(view->n_ranges + 1, sizeof *clashes);
    uint64_t reach = 0;
    for (size_t i = 0; clashes && i < view->n_ranges; i++) {
        if (i > 0 && ranges[i].kind != ranges[i - 1].kind)
            reach = 0;
        clashes[i] = clashes[i] || ranges[i].start < reach;
        if (i + 1 < view->n_ranges && ranges[i + 1].kind == ranges[i].kind &&
            ranges[i + 1].start < ranges[i].end)
            clashes[i] = true;
        if (ranges[i].end > reach)
            reach = ranges[i].end;
    }
    return clashes;
}

/* ---- lines that newuidmap skips ---- */

/* Reads them as if they were mended. */
static void suppose_trimmed(struct subid_db *db)
{
    for (size_t i = 0; i < db->n_entries; i++) {
        struct subid_entry *entry = &db->entries[i];
        struct subid_line line;
        bool changed = db->changed;
        if (entry->is_range || entry->removed ||
            !audit_line_trimmed(entry->text, entry->len, &line))
            continue;
        subid_db_rewrite(db, entry, line);
        entry->is_range = false; /* the mark of one that is supposed only */
        db->changed = changed;
    }
}

static bool may_be_given(const struct audit_view *view, const struct audit_range *range, bool clash,
                         const struct subid_space *foreign)
{
    const struct audit_owner *owner = &view->owners[range->owner];
    return owner->state == AUDIT_OWNER_IS && !owner->digits_name && !clash &&
           audit_space_is_free(foreign, range->start, range->end);
}

static void decide(struct mending *mending, const struct audit_view *view, const bool *clashes,
                   const struct subid_space *foreign)
{
    for (size_t i = 0; i < view->n_ranges; i++) {
        const struct audit_range *range = &view->by_start[i];
        struct subid_db *db = &mending->db[range->kind];
        struct subid_entry *entry = &db->entries[range->entry];
        if (entry->is_range)
            continue;
        if (!may_be_given(view, range, clashes[i], foreign)) {
            entry->removed = false;
            continue;
        }
        entry->is_range = true;
        db->changed = true;
        audit_find(mending->mended, audit_at_range(view, AUDIT_LINE_IGNORED, range),
                   "is now %.*s:%" PRIu32 ":%" PRIu32 ", which gives %s the ids",
                   (int)entry->line.owner_len, entry->line.owner, entry->line.start,
                   entry->line.count, view->owners[range->owner].login);
    }
}

static int give_trimmed(struct mending *mending, struct err *err)
{
    struct audit_view view;
    struct subid_space foreign = {0};
    suppose_trimmed(&mending->db[SUBID_UID]);
    suppose_trimmed(&mending->db[SUBID_GID]);
    int r = audit_view_make(&view, mending->db, mending->people, mending->before, err);
    if (r < 0)
        return r;
    cleanup_free bool *clashes = find_clashes(&view);
    r = clashes ? audit_space_make_foreign(mending->people, &foreign) : -ENOMEM;
    if (r == 0)
        decide(mending, &view, clashes, &foreign);
    else
        (void)err_set(err, ENOMEM, "no memory for the ids that are taken");
    subid_space_free(&foreign);
    audit_view_free(&view);
    return r;
}

/* ---- the same ids in the other file ---- */

static bool has_kind(const struct audit_view *view, size_t first, size_t end, enum subid_kind kind)
{
    for (size_t i = first; i < end; i++)
        if (view->ranges[i].kind == kind)
            return true;
    return false;
}

/* True when all of a user's ranges, of one kind, are nobody's in the other file. */
static bool all_free(const struct audit_view *view, size_t first, size_t end,
                     const struct subid_space *other)
{
    for (size_t i = first; i < end; i++)
        if (!audit_space_is_free(other, view->ranges[i].start, view->ranges[i].end))
            return false;
    return true;
}

static int give_twin(struct mending *mending, const struct audit_view *view, size_t first,
                     size_t end, struct err *err)
{
    int r = 0;
    for (size_t i = first; i < end && r == 0; i++) {
        const struct audit_range *range = &view->ranges[i];
        /* the owners of this view go with it, the database's text stays */
        const struct audit_owner *owner = &view->owners[range->owner];
        struct subid_range twin = {.start = (uint32_t)range->start,
                                   .count = (uint32_t)(range->end - range->start)};
        r = subid_db_add(&mending->db[!range->kind], owner->text, twin, err);
        audit_find(mending->mended, audit_at_range(view, AUDIT_ONE_FILE, range),
                   "the same ids are now in %s too", subid_path(!range->kind));
    }
    return r;
}

/* Marks the users some of whose ranges are another's too. */
static bool *find_clashing_users(const struct audit_view *view)
{
    cleanup_free bool *clashes = find_clashes(view);
    bool *users = calloc(view->n_owners + 1, sizeof *users);
    for (size_t i = 0; clashes && users && i < view->n_ranges; i++)
        if (clashes[i])
            users[view->by_start[i].user] = true;
    if (clashes)
        return users;
    free(users);
    return NULL;
}

static int give_twins(struct mending *mending, const struct audit_view *view, struct err *err)
{
    struct subid_space taken[2] = {0};
    cleanup_free bool *clashing = find_clashing_users(view);
    int r =
        clashing ? audit_space_make(view, mending->people, SUBID_UID, &taken[SUBID_UID]) : -ENOMEM;
    if (r == 0)
        r = audit_space_make(view, mending->people, SUBID_GID, &taken[SUBID_GID]);
    if (r < 0)
        (void)err_set(err, ENOMEM, "no memory for the ids that are taken");
    for (size_t first = 0, end = 0; first < view->n_ranges && r == 0; first = end) {
        end = audit_user_end(view, first);
        const struct audit_range *range = &view->ranges[first];
        enum subid_kind other = !range->kind;
        if (view->owners[range->owner].state == AUDIT_OWNER_IS && mending->db[other].exists &&
            !view->owners[range->owner].digits_name && !clashing[range->user] &&
            !has_kind(view, first, end, other) && all_free(view, first, end, &taken[other]))
            r = give_twin(mending, view, first, end, err);
    }
    subid_space_free(&taken[SUBID_UID]);
    subid_space_free(&taken[SUBID_GID]);
    return r;
}

static int mirror(struct mending *mending, struct audit_view *ret_view, struct err *err)
{
    int r = audit_view_make(ret_view, mending->db, mending->people, mending->before, err);
    return r < 0 ? r : give_twins(mending, ret_view, err);
}

static void end_last_line(struct subid_db *db, struct audit_findings *mended)
{
    if (db->n_entries == 0 || !db->bare_end)
        return;
    audit_find(mended, audit_at_entry(db, AUDIT_NO_NEWLINE, db->n_entries - 1),
               "the newline is put behind it");
    db->changed = true;
}

int audit_mend(struct subid_db db[2], const struct audit_view *view, struct audit_people *people,
               bool remove_gone, struct audit_findings *mended, struct err *err)
{
    struct mending mending = {.db = db, .people = people, .before = view, .mended = mended};
    struct audit_view last = {0};
    if (remove_gone)
        drop_gone(&mending);
    write_plainly(&mending);
    int r = merge_own(&mending, err);
    if (r == 0)
        r = give_trimmed(&mending, err);
    if (r == 0)
        r = mirror(&mending, &last, err);
    audit_view_free(&last);
    end_last_line(&db[SUBID_UID], mended);
    end_last_line(&db[SUBID_GID], mended);
    if (r == 0 && mended->no_memory)
        r = err_set(err, ENOMEM, "no memory for the list of what is mended");
    return r;
}
