/*
 * One line of /etc/subuid or /etc/subgid: "owner:start:count", read as shadow reads it.
 *
 * Used by privileged programs: no heap, no NSS, nothing written. Both halves of this library read
 * lines here and nowhere else, so that what is allocated is what will be granted.
 *
 * Taken: exactly three non-empty fields; numbers decimal, 0octal or 0xhex, with blanks or one '+'
 * before them ("alice: 100000:0x10000"), for that is what shadow's newuidmap grants today. Not
 * taken, and skipped by every reader here: anything behind a number (a carriage return too), a
 * line that begins with '+' or '-' (NIS), one of SUBID_LINE_MAX bytes or more, one with a NUL, a
 * count of 0, a range that does not end below 2^32 - 1.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** shadow's limit: a line this long is not read. */
#define SUBID_LINE_MAX 1024

struct subid_line {
    const char *owner; /**< points into the text, not NUL-terminated */
    size_t owner_len;
    uint32_t start;
    uint32_t count; /**< >= 1, and start + count <= 2^32 - 1 */
};

/** @param text  one line without its newline. @return false (*ret untouched) for a line to skip */
bool subid_line_parse(const char *text, size_t len, struct subid_line *ret);
/** The whole of @p text as a number in shadow's syntax, at most @p max. */
bool subid_number(const char *text, size_t len, uint64_t max, uint64_t *ret);
/** The uid an owner of digits alone stands for ("1000", also "01000"); false for a name. */
bool subid_owner_uid(const char *owner, size_t len, uid_t *ret);
