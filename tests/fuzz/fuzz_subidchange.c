/*
 * A record of any content: what is read of it is written the same, and replayed on a file, in
 * either direction, it does exactly what its diff says. The file stands before the first NUL.
 */
#include "tests/fuzz/fuzz.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/subid/change.h"

/* Written and read again it is the same text. */
static void check_rendering(const struct subid_change *change)
{
    cleanup_free char *text = NULL, *again = NULL;
    size_t len = 0, again_len = 0;
    struct subid_change reread;
    require(subid_change_render(change, &text, &len, NULL) == 0);
    char *copy = malloc(len + 1);
    require(copy);
    memcpy(copy, text, len + 1);
    require(subid_change_parse(&reread, copy, len, NULL) == 0);
    require(subid_change_render(&reread, &again, &again_len, NULL) == 0);
    require(again_len == len && memcmp(again, text, len) == 0);
    subid_change_free(&reread);
}

/* Replayed, and then taken back, the file is what it was (but for a newline at its end). */
static void check_replay(const struct subid_edits *edits, bool backwards, const char *file,
                         size_t file_len)
{
    struct subid_db db, after;
    struct subid_edits there = {0}, back = {0};
    cleanup_free char *text = NULL, *same = NULL;
    size_t len = 0, same_len = 0;
    struct subid_replay replay = {.edits = edits, .backwards = backwards};
    require(subid_db_parse(&db, SUBID_UID, file, file_len, NULL) == 0);
    if (subid_edits_replay(&replay, &db, &there, NULL) == 0) {
        require(subid_edits_render(&there, &db, &text, &len, NULL) == 0);
        require(subid_db_parse(&after, SUBID_UID, text, len, NULL) == 0);
        struct subid_replay undo = {.edits = &there, .backwards = true, .exact = true};
        require(subid_edits_replay(&undo, &after, &back, NULL) == 0);
        require(subid_edits_render(&back, &after, &same, &same_len, NULL) == 0);
        require(same_len == file_len + (db.bare_end ? 1 : 0) && memcmp(same, file, file_len) == 0);
        subid_db_free(&after);
    }
    subid_edits_free(&there);
    subid_edits_free(&back);
    subid_db_free(&db);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = size > 0 ? memchr(data, 0, size) : NULL;
    if (!nul)
        return 0;
    size_t file_len = (size_t)(nul - data), len = size - file_len - 1;
    char *text = malloc(len + 1);
    require(text);
    memcpy(text, nul + 1, len);
    text[len] = '\0';
    struct subid_change change;
    if (subid_change_parse(&change, text, len, NULL) < 0)
        return 0;
    check_rendering(&change);
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++) {
        check_replay(&change.file[kind].edits, false, (const char *)data, file_len);
        check_replay(&change.file[kind].edits, true, (const char *)data, file_len);
    }
    subid_change_free(&change);
    return 0;
}
