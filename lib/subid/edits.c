#include "lib/subid/edits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"

void subid_edits_free(struct subid_edits *edits)
{
    free(edits->items);
    *edits = (struct subid_edits){0};
}

int subid_edits_append(struct subid_edits *edits, struct subid_edit edit, struct err *err)
{
    if (edits->n == edits->room) {
        size_t room = edits->room ? edits->room * 2 : 16;
        struct subid_edit *grown = reallocarray(edits->items, room, sizeof *grown);
        if (!grown)
            return err_set(err, ENOMEM, "no memory for %zu changed lines", room);
        edits->items = grown;
        edits->room = room;
    }
    edits->items[edits->n++] = edit;
    return 0;
}

static struct subid_edit edit_of(enum subid_edit_sign sign, size_t at,
                                 const struct subid_entry *entry)
{
    return (struct subid_edit){.sign = sign, .at = at, .text = entry->text, .len = entry->len};
}

/* ---- from a database and its new contents ---- */

static bool is_text(const struct subid_entry *entry, const char *text, size_t len)
{
    return entry->len == len && memcmp(entry->text, text, len) == 0;
}

/* Where @p entry stands in what is left of the new contents. */
static bool find_line(struct cursor lines, const struct subid_entry *entry, const char **ret)
{
    struct cursor line;
    while (cursor_line(&lines, &line)) {
        if (is_text(entry, line.p, (size_t)(line.end - line.p))) {
            *ret = line.p;
            return true;
        }
    }
    return false;
}

/* Edits under way: each group begins with the line before it. */
struct making {
    struct subid_edits *edits;
    const struct subid_db *db;
    size_t n_kept; /* index behind the last line that stays; 0: none did */
    bool in_group;
};

static int put(struct making *making, struct subid_edit edit, struct err *err)
{
    int r = 0;
    if (!making->in_group && making->n_kept > 0)
        r = subid_edits_append(
            making->edits,
            edit_of(SUBID_EDIT_KEEP, making->n_kept - 1, &making->db->entries[making->n_kept - 1]),
            err);
    making->in_group = true;
    return r < 0 ? r : subid_edits_append(making->edits, edit, err);
}

static void keep(struct making *making, size_t i)
{
    making->n_kept = i + 1;
    making->in_group = false;
}

/* All new lines up to @p stop come before the old line @p at. */
static int put_new(struct making *making, struct cursor *lines, const char *stop, size_t at,
                   struct err *err)
{
    int r = 0;
    struct cursor line;
    while (r == 0 && lines->p != stop && cursor_line(lines, &line)) {
        struct subid_edit edit = {
            .sign = SUBID_EDIT_COME, .at = at, .text = line.p, .len = (size_t)(line.end - line.p)};
        r = put(making, edit, err);
    }
    return r;
}

int subid_edits_of(struct subid_edits *edits, const struct subid_db *db, const char *text,
                   size_t len, struct err *err)
{
    *edits = (struct subid_edits){0};
    struct making making = {.edits = edits, .db = db};
    struct cursor lines = {.p = text, .end = text + len}, skipped;
    int r = 0;
    for (size_t i = 0; i < db->n_entries && r == 0; i++) {
        const struct subid_entry *entry = &db->entries[i];
        const char *found = NULL;
        if (entry->removed || !find_line(lines, entry, &found)) {
            r = put(&making, edit_of(SUBID_EDIT_GO, i, entry), err);
            continue;
        }
        r = put_new(&making, &lines, found, i, err);
        (void)cursor_line(&lines, &skipped);
        keep(&making, i);
    }
    if (r == 0)
        r = put_new(&making, &lines, lines.end, db->n_entries, err);
    if (r < 0)
        subid_edits_free(edits);
    return r;
}

/* ---- to contents and to a diff ---- */

static void put_text(FILE *out, const char *mark, const char *text, size_t len)
{
    (void)fputs(mark, out);
    (void)fwrite(text, 1, len, out);
    (void)fputc('\n', out);
}

int subid_edits_render(const struct subid_edits *edits, const struct subid_db *db, char **ret,
                       size_t *ret_len, struct err *err)
{
    char *text = NULL;
    size_t len = 0, e = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return err_sys(err, errno, "cannot make the new %s", subid_path(db->kind));
    for (size_t i = 0; i <= db->n_entries; i++) {
        for (; e < edits->n && edits->items[e].at == i && edits->items[e].sign != SUBID_EDIT_GO;
             e++)
            if (edits->items[e].sign == SUBID_EDIT_COME)
                put_text(out, "", edits->items[e].text, edits->items[e].len);
        if (e < edits->n && edits->items[e].at == i)
            e++;
        else if (i < db->n_entries)
            put_text(out, "", db->entries[i].text, db->entries[i].len);
    }
    int failed = ferror(out);
    if (fclose(out) != 0 || failed) {
        free(text);
        return err_set(err, ENOMEM, "no memory for the new %s", subid_path(db->kind));
    }
    *ret = text;
    *ret_len = len;
    return 0;
}

/* "START,COUNT" of a hunk: an empty side names the line before it. */
static void put_side(FILE *out, char sign, size_t before, size_t n)
{
    (void)fprintf(out, " %c%zu", sign, n == 0 ? before : before + 1);
    if (n != 1)
        (void)fprintf(out, ",%zu", n);
}

static size_t count_signs(const struct subid_edits *edits, size_t from, size_t to,
                          enum subid_edit_sign sign)
{
    size_t n = 0;
    for (size_t e = from; e < to; e++)
        n += edits->items[e].sign == sign ? 1 : 0;
    return n;
}

static void put_signs(FILE *out, const struct subid_edits *edits, size_t from, size_t to,
                      enum subid_edit_sign sign)
{
    const char mark[] = {(char)sign, '\0'};
    for (size_t e = from; e < to; e++)
        if (edits->items[e].sign == sign)
            put_text(out, mark, edits->items[e].text, edits->items[e].len);
}

void subid_edits_diff(const struct subid_edits *edits, const struct subid_db *db,
                      const struct subid_place *place, FILE *out)
{
    const char *path = subid_path(db->kind);
    if (edits->n > 0)
        (void)fprintf(out, "--- %s%s\n+++ %s%s\n", db->exists ? place->root : "",
                      db->exists ? path : "/dev/null", place->root, path);
    size_t n_gone = 0, n_come = 0;
    for (size_t e = 0; e < edits->n;) {
        if (edits->items[e].sign == SUBID_EDIT_KEEP) {
            e++;
            continue;
        }
        size_t from = e, at = edits->items[e].at;
        while (e < edits->n && edits->items[e].sign != SUBID_EDIT_KEEP)
            e++;
        size_t go = count_signs(edits, from, e, SUBID_EDIT_GO);
        size_t come = count_signs(edits, from, e, SUBID_EDIT_COME);
        (void)fputs("@@", out);
        put_side(out, '-', at, go);
        put_side(out, '+', at + n_come - n_gone, come);
        (void)fputs(" @@\n", out);
        put_signs(out, edits, from, e, SUBID_EDIT_GO);
        put_signs(out, edits, from, e, SUBID_EDIT_COME);
        n_gone += go;
        n_come += come;
    }
}
