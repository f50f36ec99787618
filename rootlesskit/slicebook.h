/*
 * The book of slices: which piece of a user's subordinate ids belongs to which state directory, as
 * text of lines "OFFSET COUNT DIRECTORY". Pure; slicestore.h keeps it on disk.
 *
 * A line that cannot be is an error with its number, never passed over: what it meant could
 * otherwise be given to somebody else.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "rootlesskit/slice.h"

struct err;

struct slicebook_entry {
    struct slice slice;
    const char *dir; /**< into the text, not NUL-ended */
    size_t dir_len;
};

struct slicebook {
    const char *path; /**< for messages; borrowed */
    struct slicebook_entry *items;
    size_t n;
};

/**
 * @param text  borrowed until slicebook_free()
 * @return 0; -EINVAL with the file and line: malformed, or overlapping or repeating an earlier one
 */
int slicebook_parse(struct slicebook *book, const char *path, const char *text, size_t len,
                    struct err *err);
void slicebook_free(struct slicebook *book);
/**
 * The piece of @p dir.
 * @param wanted  SLICE_AUTO: the remembered one, or the first SLICE_COUNT ids that are nobody's.
 *                SLICE_GIVEN: these numbers
 * @param total   ids that the user has
 * @param ret     SLICE_GIVEN; may lie beyond @p total when it is remembered
 * @return 0: it is in the book; 1: it is to be entered; -EBUSY: it overlaps another's, or @p dir
 * has another; -ENOSPC: no such piece is free
 */
int slicebook_choose(const struct slicebook *book, const char *dir, struct slice wanted,
                     uint32_t total, struct slice *ret, struct err *err);
