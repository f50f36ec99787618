/*
 * The errors we know: what engines and their helpers print, why, and what helps. The table is made
 * of errors.txt, which has a real text for every row too.
 *
 * A pattern is written in the form of match.h: lower case, no quotes or backslashes, single blanks;
 * "*" stands for anything up to a bound within a line, "#" for a number. Of two rows that match the
 * same text the one with more letters is meant, so a general pattern may stand beside a special
 * one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define EXPLAIN_PATTERNS_MAX 8

struct explain_row {
    const char *id;                             /**< stable */
    const char *patterns[EXPLAIN_PATTERNS_MAX]; /**< NULL-ended; each begins with a letter or a
                                                     sign of its own */
    const char *check;                          /**< the check that tells for this host, or NULL */
    bool symptom;                               /**< follows from some other error in the log */
    const char *cause;                          /**< one or two sentences */
    const char *help;                           /**< lines to type or to do, each ended by "\n" */
};

extern const struct explain_row explain_rows[];
extern const size_t explain_rows_count;
