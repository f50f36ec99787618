#include "rootless-setup/check/unit.h"

#include <stdbool.h>
#include <string.h>

#include "lib/base/cursor.h"

/* A value, as systemd joins it: lines that end in a backslash go on in the next. What is reported
 * lies within one line, so joining is only needed to know whose the next line is. */
struct lint {
    unit_found *found;
    void *arg;
    unsigned line;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static void skip_blanks(struct cursor *c)
{
    while (c->p < c->end && is_blank(*c->p))
        c->p++;
}

/* Takes a word as systemd splits one: quotes may begin anywhere in it, a backslash takes the next
 * byte. @return false at the end */
static bool take_word(struct cursor *c, const char **ret, size_t *ret_len)
{
    char quote = '\0';
    skip_blanks(c);
    if (cursor_done(c))
        return false;
    *ret = c->p;
    for (; c->p < c->end && (quote || !is_blank(*c->p)); c->p++) {
        if (*c->p == '\\' && c->p + 1 < c->end)
            c->p++;
        else if (quote && *c->p == quote)
            quote = '\0';
        else if (!quote && (*c->p == '"' || *c->p == '\''))
            quote = *c->p;
    }
    *ret_len = (size_t)(c->p - *ret);
    return true;
}

static bool starts_with(const char *word, size_t len, const char *prefix)
{
    return len >= strlen(prefix) && memcmp(word, prefix, strlen(prefix)) == 0;
}

/* "%%" is a percent sign and "%h" the home, which people mean; any other letter is an accident. */
static bool has_specifier(const char *word, size_t len)
{
    for (size_t i = 0; i + 1 < len; i++) {
        if (word[i] != '%')
            continue;
        if (word[i + 1] != '%' && word[i + 1] != 'h')
            return true;
        i++;
    }
    return len > 0 && word[len - 1] == '%' && (len == 1 || word[len - 2] != '%');
}

static void report(const struct lint *lint, enum unit_finding finding, const char *word, size_t len)
{
    lint->found(finding, lint->line, word, len, lint->arg);
}

static void lint_environment(const struct lint *lint, struct cursor value)
{
    const char *word;
    size_t len;
    while (take_word(&value, &word, &len)) {
        size_t quoted = word[0] == '"' || word[0] == '\'' ? 1 : 0;
        const char *inner = word + quoted;
        size_t inner_len = len - quoted;
        if (!memchr(word, '=', len)) {
            report(lint, UNIT_CUT, word, len);
            return;
        }
        if (starts_with(inner, inner_len, "PATH=") && has_specifier(inner, inner_len))
            report(lint, UNIT_SPECIFIER, word, len);
        static const char *const networks[] = {"DOCKERD_ROOTLESS_ROOTLESSKIT_NET=",
                                               "CONTAINERD_ROOTLESS_ROOTLESSKIT_NET="};
        for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
            size_t name = strlen(networks[i]);
            if (!starts_with(inner, inner_len, networks[i]))
                continue;
            const char *driver = inner + name;
            size_t driver_len = inner_len - name;
            if (quoted && driver_len > 0 && driver[driver_len - 1] == word[0])
                driver_len--;
            report(lint, UNIT_NETWORK, driver, driver_len);
        }
    }
}

/* "@-:+!" in front of a command say how it is run. */
static void lint_exec(const struct lint *lint, struct cursor value)
{
    const char *word;
    size_t len;
    if (!take_word(&value, &word, &len))
        return;
    while (len > 0 && strchr("@-:+!|", *word)) {
        word++;
        len--;
    }
    if (len >= 2 && (*word == '"' || *word == '\'') && word[len - 1] == *word) {
        word++;
        len -= 2;
    }
    /* Without a slash it is looked for; with a specifier or an escape systemd knows where. */
    if (len > 0 && *word == '/' && !memchr(word, '%', len) && !memchr(word, '\\', len) &&
        !memchr(word, '$', len))
        report(lint, UNIT_PROGRAM, word, len);
}

static void lint_privileges(const struct lint *lint, struct cursor value)
{
    static const char *const yes[] = {"yes", "true", "on", "1"};
    const char *word;
    size_t len;
    if (!take_word(&value, &word, &len))
        return;
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        if (len == strlen(yes[i]) && memcmp(word, yes[i], len) == 0)
            report(lint, UNIT_PRIVILEGES, word, len);
}

static void lint_line(const struct lint *lint, struct cursor line)
{
    const char *key;
    size_t len;
    skip_blanks(&line);
    if (cursor_done(&line) || *line.p == '#' || *line.p == ';' || *line.p == '[')
        return;
    cursor_until(&line, '=', &key, &len);
    if (!cursor_char(&line, '='))
        return;
    while (len > 0 && is_blank(key[len - 1]))
        len--;
    if (len == 11 && memcmp(key, "Environment", len) == 0)
        lint_environment(lint, line);
    else if (len == 9 && memcmp(key, "ExecStart", len) == 0)
        lint_exec(lint, line);
    else if (len == 15 && memcmp(key, "NoNewPrivileges", len) == 0)
        lint_privileges(lint, line);
}

void unit_lint(const char *text, unit_found *found, void *arg)
{
    struct lint lint = {.found = found, .arg = arg};
    struct cursor all = cursor_of(text), line;
    bool goes_on = false;
    while (cursor_line(&all, &line)) {
        lint.line++;
        bool continued = goes_on;
        goes_on = line.end > line.p && line.end[-1] == '\\';
        if (goes_on)
            line.end--;
        if (!continued)
            lint_line(&lint, line);
    }
}
