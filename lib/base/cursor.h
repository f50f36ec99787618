/*
 * Numbers and fields out of foreign text.
 *
 * A cursor walks [p, end). Every step either takes its piece and moves on, or fails and leaves
 * the cursor where it was. Numbers are checked against their bounds while they are read; there is
 * no other number parser in this tree.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cursor {
    const char *p;
    const char *end;
};

struct cursor cursor_of(const char *s);
bool cursor_done(const struct cursor *c);
/** Takes @p ch if it is next. */
bool cursor_char(struct cursor *c, char ch);
/** Takes @p word if it is next. */
bool cursor_word(struct cursor *c, const char *word);
/** Takes blanks and tabs, if any. */
void cursor_blanks(struct cursor *c);
/**
 * Takes digits of @p base (8, 10 or 16), no sign, no blank, no prefix.
 * @return true with *ret set; false on no digit or a value above @p max, cursor unmoved
 */
bool cursor_u64(struct cursor *c, unsigned base, uint64_t max, uint64_t *ret);
/** Takes the bytes up to (not including) @p stop or the end; may be empty. */
void cursor_until(struct cursor *c, char stop, const char **ret, size_t *ret_len);
/** Takes a line, with its newline where it has one. @param ret  the line without it
 *  @return false at the end */
bool cursor_line(struct cursor *c, struct cursor *ret);
