/*
 * How text is put on the terminal that standard output may be: in colour or not, folded to its
 * width. Only programs use this.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/**
 * Whether to colour standard output.
 * @param when  "always", "never", or else: on a terminal that is not dumb, unless $NO_COLOR is set
 *              and not empty (no-color.org)
 */
bool terminal_color(const char *when);

/** Columns of the terminal that standard output is; 0: it is none, and lines are as long as they
 * are. */
unsigned terminal_width(void);

/**
 * Prints words separated by blanks, and a newline.
 * @param column  where the cursor stands
 * @param indent  what begins each further line
 * @param width   columns of a line; 0 folds nothing. A word that is longer stays whole.
 */
void terminal_fold(FILE *out, const char *text, size_t column, const char *indent, unsigned width);
