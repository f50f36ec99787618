#include "rootlesskit/slicebook.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"

static bool is_dir(const struct slicebook_entry *entry, const char *dir, size_t len)
{
    return entry->dir_len == len && memcmp(entry->dir, dir, len) == 0;
}

/* ---- reading ---- */

/* "OFFSET COUNT DIRECTORY"; blanks in the directory are its own. */
static bool parse_line(struct cursor line, struct slicebook_entry *ret)
{
    uint64_t offset = 0, count = 0;
    if (!cursor_u64(&line, 10, UINT32_MAX, &offset) || !cursor_char(&line, ' ') ||
        !cursor_u64(&line, 10, UINT32_MAX - offset, &count) || count == 0 ||
        !cursor_char(&line, ' '))
        return false;
    size_t len = (size_t)(line.end - line.p);
    if (len == 0 || *line.p != '/' || memchr(line.p, '\0', len))
        return false;
    ret->slice =
        (struct slice){.kind = SLICE_GIVEN, .offset = (uint32_t)offset, .count = (uint32_t)count};
    ret->dir = line.p;
    ret->dir_len = len;
    return true;
}

static int add(struct slicebook *book, const struct slicebook_entry *entry, size_t line,
               struct err *err)
{
    for (size_t i = 0; i < book->n; i++)
        if (slice_overlaps(book->items[i].slice, entry->slice) ||
            is_dir(&book->items[i], entry->dir, entry->dir_len))
            return err_set(err, EINVAL,
                           "%s, line %zu: its ids or its directory are those of line %zu too; mend "
                           "the file",
                           book->path, line, i + 1);
    struct slicebook_entry *grown = reallocarray(book->items, book->n + 1, sizeof *grown);
    if (!grown)
        return err_set(err, ENOMEM, "no memory for %zu slices", book->n + 1);
    book->items = grown;
    book->items[book->n++] = *entry;
    return 0;
}

int slicebook_parse(struct slicebook *book, const char *path, const char *text, size_t len,
                    struct err *err)
{
    struct cursor all = {.p = text, .end = text + len}, line;
    *book = (struct slicebook){.path = path};
    for (size_t number = 1; cursor_line(&all, &line); number++) {
        struct slicebook_entry entry;
        int r = parse_line(line, &entry)
                    ? add(book, &entry, number, err)
                    : err_set(err, EINVAL,
                              "%s, line %zu: it is not \"OFFSET COUNT DIRECTORY\"; mend the file",
                              path, number);
        if (r < 0) {
            slicebook_free(book);
            return r;
        }
    }
    return 0;
}

void slicebook_free(struct slicebook *book)
{
    free(book->items);
    book->items = NULL;
    book->n = 0;
}

/* ---- choosing ---- */

static const struct slicebook_entry *find_overlapping(const struct slicebook *book,
                                                      struct slice slice)
{
    for (size_t i = 0; i < book->n; i++)
        if (slice_overlaps(book->items[i].slice, slice))
            return &book->items[i];
    return NULL;
}

static const struct slicebook_entry *find_dir(const struct slicebook *book, const char *dir)
{
    for (size_t i = 0; i < book->n; i++)
        if (is_dir(&book->items[i], dir, strlen(dir)))
            return &book->items[i];
    return NULL;
}

static int find_free(const struct slicebook *book, uint32_t total, struct slice *ret,
                     struct err *err)
{
    struct slice slice = {.kind = SLICE_GIVEN, .count = SLICE_COUNT};
    uint32_t left = total;
    for (size_t i = 0; i < book->n; i++) {
        struct slice taken = book->items[i].slice;
        if (taken.offset < total)
            left -= taken.count < total - taken.offset ? taken.count : total - taken.offset;
    }
    while (slice.offset <= total && total - slice.offset >= SLICE_COUNT) {
        const struct slicebook_entry *other = find_overlapping(book, slice);
        if (!other) {
            *ret = slice;
            return 1;
        }
        slice.offset = other->slice.offset + other->slice.count;
    }
    return err_set(err, ENOSPC,
                   "--subid-slice=auto: %u of your %u subordinate ids are in no slice, and not %d "
                   "in a row; get more ids, or remove the lines of directories that are no more "
                   "from %s",
                   left, total, SLICE_COUNT, book->path);
}

static int check_given(const struct slicebook *book, struct slice wanted, struct err *err)
{
    const struct slicebook_entry *other = find_overlapping(book, wanted);
    if (!other)
        return 1;
    return err_set(err, EBUSY,
                   "--subid-slice=%u:%u: the slice %u:%u belongs to the state directory %.*s and "
                   "overlaps it; choose another, or auto (remembered in %s)",
                   wanted.offset, wanted.count, other->slice.offset, other->slice.count,
                   (int)other->dir_len, other->dir, book->path);
}

int slicebook_choose(const struct slicebook *book, const char *dir, struct slice wanted,
                     uint32_t total, struct slice *ret, struct err *err)
{
    const struct slicebook_entry *known = find_dir(book, dir);
    if (known) {
        struct slice slice = known->slice;
        bool is_same = wanted.offset == slice.offset && wanted.count == slice.count;
        if (wanted.kind == SLICE_GIVEN && !is_same)
            return err_set(err, EBUSY,
                           "--subid-slice=%u:%u: the slice %u:%u is remembered for %s; use it, or "
                           "remove its line from %s when none of its files are needed",
                           wanted.offset, wanted.count, slice.offset, slice.count, dir, book->path);
        *ret = slice;
        return 0;
    }
    if (wanted.kind == SLICE_AUTO)
        return find_free(book, total, ret, err);
    int r = check_given(book, wanted, err);
    if (r > 0)
        *ret = wanted;
    return r;
}
