/*
 * Finds the errors we know in a text that somebody pasted: one line, or a log.
 *
 * The text is foreign: it is bounded, may hold any byte, and what is shown of it again is plain
 * ASCII. Quotes and backslashes are left out, for engines quote one another's messages; white space
 * is one blank, or one newline where it holds one, which a blank of a pattern matches as well.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "rootless-setup/explain/rows.h"

/** How many bytes of a line "*" may stand for: the options of an overlay mount are long. */
#define EXPLAIN_GAP_MAX 800
/** As much of a match as is shown. */
#define EXPLAIN_SHOWN_MAX 240
#define EXPLAIN_FOUND_MAX 4

/**
 * Brings a text into the form that patterns are written for, in place.
 * @return its new length; a NUL is put behind
 */
size_t explain_normalize(char *text, size_t len);

/** A row that a text matches. */
struct explain_found {
    const struct explain_row *row;
    size_t start, end;             /**< in the normalised text */
    size_t weight;                 /**< letters of the pattern: its specificity */
    char shown[EXPLAIN_SHOWN_MAX]; /**< what was recognised */
};

/**
 * Finds the rows that match, causes before symptoms, the most specific first. A match inside
 * another is left out.
 * @param text  normalised
 * @return how many of @p ret are filled
 */
size_t explain_match(const char *text, size_t len, struct explain_found ret[EXPLAIN_FOUND_MAX]);
