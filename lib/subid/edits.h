/*
 * What a change does to one file, line by line: which lines go, which come, and behind which line
 * that stays.
 *
 * Made by comparing a database with its new contents; kept in records (change.h); replayed,
 * forwards or backwards, on a file that others may have written to since.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "lib/subid/db.h"
#include "lib/subid/space.h"

struct err;

enum subid_edit_sign {
    SUBID_EDIT_KEEP = '=', /**< stays: the line before those that follow */
    SUBID_EDIT_GO = '-',
    SUBID_EDIT_COME = '+',
};

struct subid_edit {
    enum subid_edit_sign sign;
    size_t at; /**< index of the line in the old file; one that comes stands before that line */
    const char *text; /**< borrowed, without newline, not NUL-terminated */
    size_t len;
};

/** In the order of the old file. */
struct subid_edits {
    struct subid_edit *items;
    size_t n, room;
};

void subid_edits_free(struct subid_edits *edits);
int subid_edits_append(struct subid_edits *edits, struct subid_edit edit, struct err *err);
/** What makes @p text out of @p db as it was read. Borrows from both. */
int subid_edits_of(struct subid_edits *edits, const struct subid_db *db, const char *text,
                   size_t len, struct err *err);
/** @p db as it was read, with @p edits made. @param ret  owned by the caller */
int subid_edits_render(const struct subid_edits *edits, const struct subid_db *db, char **ret,
                       size_t *ret_len, struct err *err);
/** A unified diff without context, as subid_db_diff() writes it. */
void subid_edits_diff(const struct subid_edits *edits, const struct subid_db *db,
                      const struct subid_place *place, FILE *out);

struct subid_replay {
    const struct subid_edits *edits; /**< as recorded */
    bool backwards;                  /**< take them back */
    bool exact; /**< the file is as the record left it: what overlaps there always did */
    const struct subid_space *taken; /**< ids nobody may be given beside, or NULL; sorted */
};

/**
 * The edits that do (or take back) on the present @p db what was recorded: every line that is to go
 * must be there as it was, lines that come get their old neighbour, if it is there.
 * @param ret  borrows from @p db and from the record
 * @return 0; -ESTALE with which line is not there any more; -EEXIST with whose ids a line that
 *         comes would give away
 */
int subid_edits_replay(const struct subid_replay *replay, const struct subid_db *db,
                       struct subid_edits *ret, struct err *err);
