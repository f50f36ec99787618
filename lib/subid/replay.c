/* Recorded edits, on a file that may have changed since. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/subid/edits.h"

#define SHOWN 128 /* of a line, in messages */

/* A line that comes, and the present line it is to stand before. */
struct coming {
    const struct subid_edit *edit;
    size_t place, turn;
};

struct plan {
    const struct subid_replay *replay;
    const struct subid_db *db;
    bool *gone; /* by index of the present line */
    struct coming *coming;
    size_t n_coming;
};

static int shown(const struct subid_edit *edit)
{
    return edit->len < SHOWN ? (int)edit->len : SHOWN;
}

/* The present line with this text: at @p hint, or the first there is. Sets *ret. */
static bool find_present(const struct plan *plan, const struct subid_edit *edit, size_t hint,
                         size_t *ret)
{
    const struct subid_db *db = plan->db;
    for (size_t k = 0; k <= db->n_entries; k++) {
        size_t i = k == 0 ? hint : k - 1;
        if (i < db->n_entries && !plan->gone[i] && db->entries[i].len == edit->len &&
            memcmp(db->entries[i].text, edit->text, edit->len) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

/* Finds the lines that go and the places of those that come. */
static int place_all(struct plan *plan, struct err *err)
{
    const struct subid_edits *edits = plan->replay->edits;
    bool backwards = plan->replay->backwards;
    size_t added = 0, removed = 0, anchor = 0;
    bool anchored = true; /* to the beginning of the file */
    for (size_t e = 0; e < edits->n; e++) {
        const struct subid_edit *edit = &edits->items[e];
        size_t expected = backwards ? edit->at + added - removed : edit->at;
        bool goes = edit->sign == (backwards ? SUBID_EDIT_COME : SUBID_EDIT_GO);
        size_t found = 0;
        if (edit->sign == SUBID_EDIT_KEEP) {
            anchored = find_present(plan, edit, expected, &found);
            anchor = found + 1;
        } else if (!goes) {
            size_t place = anchored ? anchor : expected;
            plan->coming[plan->n_coming] =
                (struct coming){.edit = edit,
                                .place = place < plan->db->n_entries ? place : plan->db->n_entries,
                                .turn = plan->n_coming};
            plan->n_coming++;
        } else if (find_present(plan, edit, expected, &found)) {
            plan->gone[found] = true;
        } else {
            return err_set(err, ESTALE, "the line \"%.*s\" is no longer in %s", shown(edit),
                           edit->text, subid_path(plan->db->kind));
        }
        added += edit->sign == SUBID_EDIT_COME ? 1 : 0;
        removed += edit->sign == SUBID_EDIT_GO ? 1 : 0;
    }
    return 0;
}

/* ---- whose ids they are now ---- */

static bool is_owner(const struct subid_line *line, const char *who, size_t who_len)
{
    return line->owner_len == who_len && memcmp(line->owner, who, who_len) == 0;
}

static int is_others(const struct subid_edit *edit, const struct subid_interval *hit,
                     const struct subid_db *db, struct err *err)
{
    return err_set(err, EEXIST,
                   "\"%.*s\" cannot be put back into %s: of its ids some are %s %.*s by now",
                   shown(edit), edit->text, subid_path(db->kind), hit->what,
                   hit->who_len < SHOWN ? (int)hit->who_len : SHOWN, hit->who);
}

/* The first of @p space that is within @p line and not its owner's own. */
static const struct subid_interval *find_other(const struct subid_space *space,
                                               const struct subid_line *line)
{
    uint64_t start = line->start, end = start + line->count;
    const struct subid_interval *hit = subid_space_hit(space, start, end);
    if (!hit || !is_owner(line, hit->who, hit->who_len))
        return hit;
    for (size_t i = 0; i < space->n; i++) {
        const struct subid_interval *item = &space->items[i];
        if (item->start < end && item->end > start && !is_owner(line, item->who, item->who_len))
            return item;
    }
    return NULL;
}

static int take_present(const struct plan *plan, struct subid_space *space, struct err *err)
{
    int r = 0;
    for (size_t i = 0; i < plan->db->n_entries && r == 0; i++) {
        const struct subid_entry *entry = &plan->db->entries[i];
        if (entry->is_range && !plan->gone[i])
            r = subid_space_take_line(space, &entry->line, "the range of", err);
    }
    subid_space_sort(space);
    return r;
}

static int check_free(const struct plan *plan, const struct subid_space *space, struct err *err)
{
    for (size_t k = 0; space && k < plan->n_coming; k++) {
        const struct subid_edit *edit = plan->coming[k].edit;
        struct subid_line line;
        if (!subid_line_parse(edit->text, edit->len, &line))
            continue;
        const struct subid_interval *hit = find_other(space, &line);
        if (hit)
            return is_others(edit, hit, plan->db, err);
    }
    return 0;
}

static int check_coming(const struct plan *plan, struct err *err)
{
    struct subid_space present = {0};
    int r = check_free(plan, plan->replay->taken, err);
    if (r == 0 && !plan->replay->exact)
        r = take_present(plan, &present, err);
    if (r == 0 && !plan->replay->exact)
        r = check_free(plan, &present, err);
    subid_space_free(&present);
    return r;
}

/* ---- the present edits ---- */

static int compare_place(const void *pa, const void *pb)
{
    const struct coming *a = pa, *b = pb;
    if (a->place != b->place)
        return a->place < b->place ? -1 : 1;
    return (a->turn > b->turn) - (a->turn < b->turn);
}

/* As a copy of the present database in which the lines that go are marked would render. */
static int put_edits(struct plan *plan, struct subid_edits *ret, struct err *err)
{
    int r = 0;
    size_t k = 0;
    bool in_group = false;
    qsort(plan->coming, plan->n_coming, sizeof *plan->coming, compare_place);
    for (size_t i = 0; i <= plan->db->n_entries && r == 0; i++) {
        bool comes = k < plan->n_coming && plan->coming[k].place == i;
        bool goes = plan->gone[i];
        if ((comes || goes) && i > 0 && !(in_group && plan->gone[i - 1])) {
            const struct subid_entry *before = &plan->db->entries[i - 1];
            r = subid_edits_append(
                ret,
                (struct subid_edit){
                    .sign = SUBID_EDIT_KEEP, .at = i - 1, .text = before->text, .len = before->len},
                err);
        }
        for (; r == 0 && k < plan->n_coming && plan->coming[k].place == i; k++)
            r = subid_edits_append(ret,
                                   (struct subid_edit){.sign = SUBID_EDIT_COME,
                                                       .at = i,
                                                       .text = plan->coming[k].edit->text,
                                                       .len = plan->coming[k].edit->len},
                                   err);
        if (r == 0 && goes)
            r = subid_edits_append(ret,
                                   (struct subid_edit){.sign = SUBID_EDIT_GO,
                                                       .at = i,
                                                       .text = plan->db->entries[i].text,
                                                       .len = plan->db->entries[i].len},
                                   err);
        in_group = comes || goes;
    }
    return r;
}

int subid_edits_replay(const struct subid_replay *replay, const struct subid_db *db,
                       struct subid_edits *ret, struct err *err)
{
    cleanup_free bool *gone = calloc(db->n_entries + 1, sizeof *gone);
    cleanup_free struct coming *coming = calloc(replay->edits->n + 1, sizeof *coming);
    if (!gone || !coming)
        return err_set(err, ENOMEM, "no memory for %zu changed lines", replay->edits->n);
    struct plan plan = {.replay = replay, .db = db, .gone = gone, .coming = coming};
    struct subid_edits edits = {0};
    int r = place_all(&plan, err);
    if (r == 0)
        r = check_coming(&plan, err);
    if (r == 0)
        r = put_edits(&plan, &edits, err);
    if (r < 0)
        subid_edits_free(&edits);
    else
        *ret = edits;
    return r;
}
