#include "rootless-setup/launch/line.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "rootless-setup/check/quote.h"

void line_free(struct line *line)
{
    for (size_t i = 0; i < line->n; i++)
        free(line->words[i]);
    free(line->words);
    *line = (struct line){0};
}

/* @param take_word  NULL: there was no memory for it */
static void append(struct line *line, char *take_word)
{
    char **words = take_word ? reallocarray(line->words, line->n + 2, sizeof *line->words) : NULL;
    if (!words) {
        free(take_word);
        line->error = ENOMEM;
        return;
    }
    line->words = words;
    line->words[line->n++] = take_word;
    line->words[line->n] = NULL;
}

void line_add(struct line *line, const char *word)
{
    append(line, strdup(word));
}

void line_add_all(struct line *line, const char *const *words)
{
    for (size_t i = 0; words && words[i]; i++)
        line_add(line, words[i]);
}

void line_format(struct line *line, const char *fmt, ...)
{
    char *word = NULL;
    va_list ap;
    va_start(ap, fmt);
    int n = vasprintf(&word, fmt, ap);
    va_end(ap);
    append(line, n < 0 ? NULL : word);
}

void line_split(struct line *line, const char *text)
{
    static const char blanks[] = " \t\n";
    for (const char *p = text ? text + strspn(text, blanks) : ""; *p; p += strspn(p, blanks)) {
        size_t len = strcspn(p, blanks);
        append(line, strndup(p, len));
        p += len;
    }
}

int line_check(const struct line *line, struct err *err)
{
    return line->error ? err_sys(err, line->error, "cannot make the command line") : 0;
}

static int print_word(const char *word, const char *before, FILE *out)
{
    size_t size = 4 * strlen(word) + 8; /* each byte may be a quote: '\'' */
    cleanup_free char *quoted = malloc(size);
    if (!quoted)
        return -ENOMEM;
    return fprintf(out, "%s%s", before, quote_word(word, quoted, size)) < 0 ? -errno : 0;
}

int line_print(const struct line *line, FILE *out, struct err *err)
{
    int r = 0;
    for (size_t i = 0; i < line->n && r >= 0; i++)
        r = print_word(line->words[i], i > 0 ? " " : "", out);
    if (r >= 0 && (fputc('\n', out) == EOF || fflush(out) == EOF))
        r = -errno;
    return r < 0 ? err_sys(err, -r, "cannot print the command line") : 0;
}

int line_exec(const struct line *line, struct err *err)
{
    (void)umask(cli_inherited_umask());
    (void)execvp(line->words[0], line->words);
    return err_sys(err, errno, "cannot execute %s", line->words[0]);
}
