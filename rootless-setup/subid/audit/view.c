#include "rootless-setup/subid/audit/view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"

/* A range on the way to its owner's index. */
struct owned {
    const char *text;
    size_t len;
    size_t range;
};

static int compare_text(const void *pa, const void *pb)
{
    const struct owned *a = pa, *b = pb;
    size_t shorter = a->len < b->len ? a->len : b->len;
    int r = memcmp(a->text, b->text, shorter);
    return r != 0 ? r : (a->len > b->len) - (a->len < b->len);
}

static int compare_start(const void *pa, const void *pb)
{
    const struct audit_range *a = pa, *b = pb;
    if (a->kind != b->kind)
        return a->kind > b->kind ? 1 : -1;
    if (a->start != b->start)
        return a->start > b->start ? 1 : -1;
    return (a->entry > b->entry) - (a->entry < b->entry);
}

static int compare_user(const void *pa, const void *pb)
{
    const struct audit_range *a = pa, *b = pb;
    return a->user != b->user ? (a->user > b->user ? 1 : -1) : compare_start(a, b);
}

static void collect_range(struct audit_view *view, enum subid_kind kind, size_t i,
                          struct subid_range range, struct owned *owned)
{
    const struct subid_line *line = &view->db[kind]->entries[i].line;
    size_t n = view->n_ranges++;
    owned[n] = (struct owned){line->owner, line->owner_len, n};
    view->ranges[n] = (struct audit_range){
        .kind = kind, .entry = i, .start = range.start, .end = (uint64_t)range.start + range.count};
}

static void collect(struct audit_view *view, struct owned *owned)
{
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++) {
        const struct subid_db *db = view->db[kind];
        for (size_t i = 0; i < db->n_entries; i++) {
            const struct subid_entry *entry = &db->entries[i];
            struct subid_range whole = {entry->line.start, entry->line.count};
            if (entry->is_range && !entry->removed)
                collect_range(view, (enum subid_kind)kind, i, whole, owned);
            for (size_t k = 0; entry->removed && k < entry->n_rest; k++)
                collect_range(view, (enum subid_kind)kind, i, entry->rest[k], owned);
        }
    }
    if (view->n_ranges > 0)
        qsort(owned, view->n_ranges, sizeof *owned, compare_text);
}

static int compare_owner(const void *text, const void *owner)
{
    return strcmp(text, ((const struct audit_owner *)owner)->text);
}

/* Lines have no NUL, so that text is the whole owner. */
static int add_owner(struct audit_view *view, const struct owned *owned,
                     struct audit_people *people, const struct audit_view *known)
{
    struct audit_owner *owner = &view->owners[view->n_owners++];
    char *text = strndup(owned->text, owned->len);
    const struct audit_owner *old = NULL;
    owner->text = text;
    if (!text)
        return -ENOMEM;
    if (known && known->n_owners > 0)
        old = bsearch(text, known->owners, known->n_owners, sizeof *owner, compare_owner);
    if (!old)
        return audit_owner_resolve(people, owner);
    *owner = *old;
    owner->text = text;
    owner->login = old->login ? strdup(old->login) : NULL;
    return old->login && !owner->login ? -ENOMEM : 0;
}

static int name_owners(struct audit_view *view, const struct owned *owned,
                       struct audit_people *people, const struct audit_view *known)
{
    for (size_t i = 0; i < view->n_ranges; i++) {
        if ((i == 0 || compare_text(&owned[i - 1], &owned[i]) != 0) &&
            add_owner(view, &owned[i], people, known) < 0)
            return -ENOMEM;
        view->ranges[owned[i].range].owner = view->n_owners - 1;
    }
    return 0;
}

struct numbered {
    uid_t uid;
    size_t owner;
};

static int compare_uid(const void *pa, const void *pb)
{
    const struct numbered *a = pa, *b = pb;
    return a->uid != b->uid ? (a->uid > b->uid ? 1 : -1)
                            : (a->owner > b->owner) - (a->owner < b->owner);
}

/* Owners with one uid are one user; one whose uid is unknown is a user by himself. */
static int unite_users(struct audit_view *view)
{
    cleanup_free struct numbered *order = calloc(view->n_owners + 1, sizeof *order);
    if (!order)
        return -ENOMEM;
    for (size_t i = 0; i < view->n_owners; i++) {
        uid_t uid = view->owners[i].uid;
        if (uid == (uid_t)-1 && view->owners[i].by_number)
            (void)subid_owner_uid(view->owners[i].text, strlen(view->owners[i].text), &uid);
        order[i] = (struct numbered){uid, i};
    }
    qsort(order, view->n_owners, sizeof *order, compare_uid);
    size_t user = 0;
    for (size_t i = 0; i < view->n_owners; i++) {
        if (i > 0 && (order[i].uid == (uid_t)-1 || order[i].uid != order[i - 1].uid))
            user++;
        view->owners[order[i].owner].user = user;
    }
    for (size_t i = 0; i < view->n_ranges; i++)
        view->ranges[i].user = view->owners[view->ranges[i].owner].user;
    return 0;
}

/* A line that is split has two ranges at most. */
static size_t most_ranges(const struct audit_view *view)
{
    return 2 * (view->db[SUBID_UID]->n_entries + view->db[SUBID_GID]->n_entries) + 1;
}

static int build(struct audit_view *view, struct audit_people *people,
                 const struct audit_view *known)
{
    size_t most = most_ranges(view);
    cleanup_free struct owned *owned = calloc(most, sizeof *owned);
    view->ranges = calloc(most, sizeof *view->ranges);
    view->by_start = calloc(most, sizeof *view->by_start);
    view->owners = calloc(most, sizeof *view->owners);
    if (!owned || !view->ranges || !view->by_start || !view->owners)
        return -ENOMEM;
    collect(view, owned);
    if (name_owners(view, owned, people, known) < 0 || unite_users(view) < 0)
        return -ENOMEM;
    if (view->n_ranges == 0)
        return 0;
    memcpy(view->by_start, view->ranges, view->n_ranges * sizeof *view->ranges);
    qsort(view->ranges, view->n_ranges, sizeof *view->ranges, compare_user);
    qsort(view->by_start, view->n_ranges, sizeof *view->by_start, compare_start);
    return 0;
}

int audit_view_make(struct audit_view *view, const struct subid_db db[2],
                    struct audit_people *people, const struct audit_view *known, struct err *err)
{
    *view = (struct audit_view){.db = {&db[SUBID_UID], &db[SUBID_GID]}};
    if (build(view, people, known) == 0)
        return 0;
    audit_view_free(view);
    return err_set(err, ENOMEM, "no memory for the ranges of both files");
}

void audit_view_free(struct audit_view *view)
{
    for (size_t i = 0; i < view->n_owners; i++) {
        free(view->owners[i].text);
        free(view->owners[i].login);
    }
    free(view->owners);
    free(view->ranges);
    free(view->by_start);
    *view = (struct audit_view){0};
}

struct audit_finding audit_at_entry(const struct subid_db *db, enum audit_rule_id rule,
                                    size_t entry)
{
    return (struct audit_finding){.rule = rule,
                                  .kind = db->kind,
                                  .line = entry + 1,
                                  .text = db->entries[entry].text,
                                  .text_len = db->entries[entry].len};
}

struct audit_finding audit_at_range(const struct audit_view *view, enum audit_rule_id rule,
                                    const struct audit_range *range)
{
    struct audit_finding finding = audit_at_entry(view->db[range->kind], rule, range->entry);
    const struct subid_line *line = &view->db[range->kind]->entries[range->entry].line;
    finding.owner = line->owner;
    finding.owner_len = line->owner_len;
    finding.start = range->start;
    finding.end = range->end;
    return finding;
}

size_t audit_user_end(const struct audit_view *view, size_t first)
{
    size_t end = first;
    while (end < view->n_ranges && view->ranges[end].user == view->ranges[first].user)
        end++;
    return end;
}
