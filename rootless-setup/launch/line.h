/*
 * A command line while it is put together, then printed or executed.
 *
 * Adding cannot fail where it stands: what went wrong is kept and told by line_check(). The line
 * owns its words.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>

struct err;

struct line {
    char **words; /**< n of them and a NULL */
    size_t n;
    int error; /**< errno of the first word that could not be added */
};

void line_free(struct line *line);
#define cleanup_line __attribute__((cleanup(line_free)))

void line_add(struct line *line, const char *word);
/** All of a NULL-ended list; NULL is an empty one. */
void line_add_all(struct line *line, const char *const *words);
void line_format(struct line *line, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** Adds the words that blanks divide, as a shell does with an unquoted variable: quotes mean
 *  nothing. @param text  NULL is an empty one */
void line_split(struct line *line, const char *text);
/** @return 0, or -errno when a word is missing */
int line_check(const struct line *line, struct err *err);
/** Prints it as a shell reads it back, with a newline. @return 0 or -errno */
int line_print(const struct line *line, FILE *out, struct err *err);
/** Becomes the program, which is words[0], with the umask that we were started with.
 *  @return -errno */
int line_exec(const struct line *line, struct err *err);
