/* The two ways a changed database is written out: its new contents, and what differs. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/subid/db.h"

static void put_range(FILE *out, const char *mark, const char *owner, size_t owner_len,
                      struct subid_range range)
{
    (void)fprintf(out, "%s%.*s:%" PRIu32 ":%" PRIu32 "\n", mark, (int)owner_len, owner, range.start,
                  range.count);
}

static void put_entry(FILE *out, const char *mark, const struct subid_entry *entry)
{
    (void)fputs(mark, out);
    (void)fwrite(entry->text, 1, entry->len, out);
    (void)fputc('\n', out);
}

static void put_rest(FILE *out, const char *mark, const struct subid_entry *entry)
{
    for (size_t i = 0; i < entry->n_rest; i++)
        put_range(out, mark, entry->line.owner, entry->line.owner_len, entry->rest[i]);
}

static void put_additions(FILE *out, const char *mark, const struct subid_db *db)
{
    for (size_t i = 0; i < db->n_additions; i++) {
        const struct subid_addition *addition = &db->additions[i];
        put_range(out, mark, addition->owner, strlen(addition->owner), addition->range);
    }
}

int subid_db_render(const struct subid_db *db, char **ret, size_t *ret_len, struct err *err)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return err_sys(err, errno, "cannot make the new %s", subid_path(db->kind));
    for (size_t i = 0; i < db->n_entries; i++) {
        const struct subid_entry *entry = &db->entries[i];
        if (entry->removed)
            put_rest(out, "", entry);
        else
            put_entry(out, "", entry);
    }
    put_additions(out, "", db);
    int failed = ferror(out);
    if (fclose(out) != 0 || failed) {
        free(text);
        return err_set(err, ENOMEM, "no memory for the new %s", subid_path(db->kind));
    }
    *ret = text;
    *ret_len = len;
    return 0;
}

/* Where we are in the two files: lines already behind us. */
struct position {
    size_t old, new;
};

/* "START,COUNT" of a hunk: an empty side names the line before it. */
static void put_side(FILE *out, char sign, size_t done, size_t n)
{
    (void)fprintf(out, " %c%zu", sign, n == 0 ? done : done + 1);
    if (n != 1)
        (void)fprintf(out, ",%zu", n);
}

static void begin_hunk(FILE *out, struct position *at, size_t n_old, size_t n_new)
{
    (void)fputs("@@", out);
    put_side(out, '-', at->old, n_old);
    put_side(out, '+', at->new, n_new);
    (void)fputs(" @@\n", out);
    at->old += n_old;
    at->new += n_new;
}

/* Lines that go and stand together make one hunk. @return index behind them */
static size_t put_removed(const struct subid_db *db, size_t i, struct position *at, FILE *out)
{
    size_t end = i, n_rest = 0;
    for (; end < db->n_entries && db->entries[end].removed; end++)
        n_rest += db->entries[end].n_rest;
    bool last = end == db->n_entries;
    begin_hunk(out, at, end - i, n_rest + (last ? db->n_additions : 0));
    for (size_t k = i; k < end; k++)
        put_entry(out, "-", &db->entries[k]);
    if (last && db->bare_end)
        (void)fputs("\\ No newline at end of file\n", out);
    for (size_t k = i; k < end; k++)
        put_rest(out, "+", &db->entries[k]);
    if (last)
        put_additions(out, "+", db);
    return end;
}

/* What comes behind a last line that stays; one without newline gets it first. */
static void put_tail(const struct subid_db *db, struct position *at, FILE *out)
{
    bool mend = db->bare_end;
    if (db->n_additions == 0 && !mend)
        return;
    if (mend) {
        at->old--;
        at->new --;
    }
    begin_hunk(out, at, mend ? 1 : 0, db->n_additions + (mend ? 1 : 0));
    if (mend) {
        put_entry(out, "-", &db->entries[db->n_entries - 1]);
        (void)fputs("\\ No newline at end of file\n", out);
        put_entry(out, "+", &db->entries[db->n_entries - 1]);
    }
    put_additions(out, "+", db);
}

void subid_db_diff(const struct subid_db *db, const struct subid_place *place, FILE *out)
{
    if (!db->changed)
        return;
    const char *path = subid_path(db->kind);
    (void)fprintf(out, "--- %s%s\n+++ %s%s\n", db->exists ? place->root : "",
                  db->exists ? path : "/dev/null", place->root, path);
    struct position at = {0};
    size_t i = 0;
    while (i < db->n_entries) {
        if (db->entries[i].removed) {
            i = put_removed(db, i, &at, out);
        } else {
            i++;
            at.old++;
            at.new ++;
        }
    }
    if (db->n_entries == 0 || !db->entries[db->n_entries - 1].removed)
        put_tail(db, &at, out);
}
