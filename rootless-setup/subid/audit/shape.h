/*
 * How a line is written: whether plainly, why newuidmap skips it, and what it would mean without
 * the blanks around its fields.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/subid/line.h"

/** A field of a line. */
struct audit_field {
    const char *p;
    size_t len;
};

/** Cuts at the colons. @return how many fields there are; the first @p max are in @p ret */
size_t audit_fields(const char *text, size_t len, struct audit_field *ret, size_t max);
/** Takes blanks and carriage returns from both ends. */
struct audit_field audit_trim(const char *text, size_t len);
/** True for "owner:start:count" as we write it: decimal, nothing too many. @p line is its reading.
 */
bool audit_line_is_plain(const char *text, size_t len, const struct subid_line *line);
/** Empty, of blanks only, or a comment. */
bool audit_line_is_empty(const char *text, size_t len);
/** Why a line is skipped, as the end of a sentence; only for one that is no range and not empty. */
const char *audit_line_fault(const char *text, size_t len);
/** What an ignored line means when only blanks or a carriage return are too many and its numbers
 *  are plainly decimal. @return false when there is more to it */
bool audit_line_trimmed(const char *text, size_t len, struct subid_line *ret);
