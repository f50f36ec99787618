#include "rootless-setup/check/tmpfiles.h"

#include <fnmatch.h>
#include <string.h>

#include "lib/base/cursor.h"
#include "lib/base/str.h"

/* "TYPE PATH MODE USER GROUP AGE ARGUMENT" */
enum { TYPE, PATH, MODE, USER, GROUP, AGE, FIELDS };

#define FIELD_MAX 512

static bool blank(const struct cursor *line)
{
    return *line->p == ' ' || *line->p == '\t';
}

/* Words between blanks, one in quotes whole. What does not fit is none. */
static void split(struct cursor line, char fields[FIELDS][FIELD_MAX])
{
    for (size_t i = 0; i < FIELDS; i++) {
        cursor_blanks(&line);
        bool quoted = cursor_char(&line, '"');
        const char *start = line.p;
        while (!cursor_done(&line) && (quoted ? *line.p != '"' : !blank(&line)))
            line.p++;
        size_t len = (size_t)(line.p - start);
        fields[i][0] = '\0';
        if (len < FIELD_MAX)
            (void)str_format(fields[i], FIELD_MAX, "%.*s", (int)len, start);
        if (quoted)
            (void)cursor_char(&line, '"');
    }
}

/* Specifiers that stand for directories; another one may be anything without a slash. */
static const char *specifier(char letter)
{
    switch (letter) {
    case 'T':
        return "/tmp";
    case 'V':
        return "/var/tmp";
    case 't':
        return "/run";
    case '%':
        return "%";
    default:
        return "*";
    }
}

/* @return length, or negative when it is too long */
static int expand(const char *path, char *ret, size_t size)
{
    size_t used = 0;
    ret[0] = '\0';
    for (const char *p = path; *p; p++) {
        bool special = p[0] == '%' && p[1];
        const char one[2] = {*p, '\0'};
        int n = str_format(ret + used, size - used, "%s", special ? specifier(p[1]) : one);
        if (n < 0)
            return n;
        used += (size_t)n;
        p += special;
    }
    while (used > 1 && ret[used - 1] == '/')
        ret[--used] = '\0';
    return (int)used;
}

/* @return bytes of the directory, or of the nearest above it, that the pattern names; 0: none */
static size_t named(const char *dir, const char *pattern)
{
    char above[4096];
    if (str_copy(above, sizeof above, dir) < 0)
        return 0;
    for (size_t len = strlen(above); len > 1; above[len] = '\0') {
        if (fnmatch(pattern, above, FNM_PATHNAME | FNM_PERIOD) == 0)
            return len;
        while (len > 0 && above[--len] != '/')
            continue;
    }
    return 0;
}

/* Those of boot are left out when it cleans, and X keeps a directory, but nothing in it. What has
 * a line of its own, of whatever type, is not cleaned along with what is above it. */
static bool counts(const char *type)
{
    return type[0] && type[0] != '#' && type[0] != 'X' && !strchr(type, '!');
}

static bool cleans(const char *type, const char *age)
{
    return strchr("dDevqQC", type[0]) && age[0] && !str_equal(age, "-");
}

bool tmpfiles_read(struct tmpfiles *tmpfiles, const char *text)
{
    struct cursor all = cursor_of(text), line;
    bool any = false;
    for (unsigned n = 1; cursor_line(&all, &line); n++) {
        char fields[FIELDS][FIELD_MAX], pattern[FIELD_MAX];
        split(line, fields);
        if (!counts(fields[TYPE]) || expand(fields[PATH], pattern, sizeof pattern) < 0)
            continue;
        size_t len = named(tmpfiles->dir, pattern);
        if (len <= tmpfiles->len)
            continue;
        tmpfiles->len = len;
        tmpfiles->line = n;
        tmpfiles->cleaned = cleans(fields[TYPE], fields[AGE]);
        (void)str_format(tmpfiles->age, sizeof tmpfiles->age, "%.31s", fields[AGE]);
        any = true;
    }
    return any;
}
