#include "rootless-setup/explain/match.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#define WORD_MAX 40

static bool is_space(unsigned char c)
{
    return c <= ' ' || c == 127;
}

/* Length of a terminal's escape sequence at @p s, or 0. */
static size_t escape_length(const char *s, size_t len)
{
    if (len < 2 || s[0] != '\033')
        return 0;
    if (s[1] != '[')
        return 2;
    size_t n = 2;
    while (n < len && s[n] >= ' ' && s[n] < '@')
        n++;
    return n < len && s[n] >= '@' ? n + 1 : n;
}

/* Length of a quote at @p s, ASCII or one of U+2018 to U+201F, or 0. */
static size_t quote_length(const char *s, size_t len)
{
    if (strchr("\"'`\\", s[0]) && s[0])
        return 1;
    return len >= 3 && (unsigned char)s[0] == 0xe2 && (unsigned char)s[1] == 0x80 &&
                   ((unsigned char)s[2] & 0xf8) == 0x98
               ? 3
               : 0;
}

size_t explain_normalize(char *text, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len;) {
        size_t skip = escape_length(text + i, len - i);
        if (skip == 0)
            skip = quote_length(text + i, len - i);
        if (skip > 0) {
            i += skip;
            continue;
        }
        unsigned char c = (unsigned char)text[i];
        bool quoted_newline = c == 'n' && i > 0 && text[i - 1] == '\\';
        i++;
        if (!is_space(c) && !quoted_newline)
            text[n++] = c < 127 ? (char)c : '?';
        else if (n > 0 && !is_space((unsigned char)text[n - 1]))
            text[n++] = c == '\n' || quoted_newline ? '\n' : ' ';
        else if (n > 0 && (c == '\n' || quoted_newline))
            text[n - 1] = '\n';
    }
    text[n] = '\0';
    return n;
}

static bool same(char of_text, char of_pattern)
{
    return tolower((unsigned char)of_text) == of_pattern || (of_text == '\n' && of_pattern == ' ');
}

/* One piece of a pattern, between two "*"; "#" is a number. @return bytes of text, or SIZE_MAX */
static size_t piece_length(const char *piece, size_t piece_len, const char *text, size_t len)
{
    size_t at = 0;
    for (size_t i = 0; i < piece_len; i++) {
        if (piece[i] == '#') {
            if (at == len || !isdigit((unsigned char)text[at]))
                return SIZE_MAX;
            while (at < len && isdigit((unsigned char)text[at]))
                at++;
        } else if (at == len || !same(text[at], piece[i])) {
            return SIZE_MAX;
        } else {
            at++;
        }
    }
    return at;
}

/* The whole pattern with its first piece at @p start. @return its end, or SIZE_MAX */
static size_t match_at(const char *pattern, const char *text, size_t len, size_t start)
{
    size_t at = start, gap = 0;
    for (;;) {
        size_t piece_len = strcspn(pattern, "*");
        size_t found = SIZE_MAX;
        for (size_t skip = 0; skip <= gap && at + skip <= len; skip++) {
            size_t n = piece_length(pattern, piece_len, text + at + skip, len - at - skip);
            if (n != SIZE_MAX) {
                found = at + skip + n;
                break;
            }
            if (at + skip == len || text[at + skip] == '\n')
                break;
        }
        if (found == SIZE_MAX || pattern[piece_len] == '\0')
            return found;
        at = found;
        gap = EXPLAIN_GAP_MAX;
        pattern += piece_len + 1;
    }
}

/* Where a pattern matches first. */
static bool pattern_find(const char *pattern, const char *text, size_t len, size_t *ret_start,
                         size_t *ret_end)
{
    for (size_t start = 0; start < len; start++) {
        if (!same(text[start], pattern[0]))
            continue;
        size_t end = match_at(pattern, text, len, start);
        if (end != SIZE_MAX) {
            *ret_start = start;
            *ret_end = end;
            return true;
        }
    }
    return false;
}

static size_t weight_of(const char *pattern)
{
    size_t weight = 0;
    for (; *pattern; pattern++)
        weight += *pattern != '*' && *pattern != '#' && *pattern != ' ';
    return weight;
}

/* The heaviest pattern of a row that matches. */
static bool match_row(const struct explain_row *row, const char *text, size_t len,
                      struct explain_found *ret)
{
    *ret = (struct explain_found){.row = row};
    for (size_t i = 0; i < EXPLAIN_PATTERNS_MAX && row->patterns[i]; i++) {
        size_t start, end, weight = weight_of(row->patterns[i]);
        if (weight <= ret->weight || !pattern_find(row->patterns[i], text, len, &start, &end))
            continue;
        ret->start = start;
        ret->end = end;
        ret->weight = weight;
    }
    return ret->weight > 0;
}

static bool better(const struct explain_found *a, const struct explain_found *b)
{
    if (a->row->symptom != b->row->symptom)
        return b->row->symptom;
    return a->weight > b->weight;
}

static bool inside(const struct explain_found *a, const struct explain_found *b)
{
    return a->start >= b->start && a->end <= b->end;
}

/* Into its place among the better ones; those inside it, or it inside one of them, are left out. */
static size_t insert(struct explain_found *found, size_t n, const struct explain_found *one)
{
    size_t at = 0;
    while (at < n && !better(one, &found[at])) {
        if (inside(one, &found[at]))
            return n;
        at++;
    }
    size_t kept = at;
    for (size_t i = at; i < n; i++)
        if (!inside(&found[i], one))
            found[kept++] = found[i];
    n = kept < EXPLAIN_FOUND_MAX ? kept : EXPLAIN_FOUND_MAX - 1;
    if (at == EXPLAIN_FOUND_MAX)
        return EXPLAIN_FOUND_MAX;
    (void)memmove(&found[at + 1], &found[at], (n - at) * sizeof found[0]);
    found[at] = *one;
    return n + 1;
}

/* The words that were recognised, the first one whole. */
static void show(const char *text, struct explain_found *found)
{
    size_t start = found->start;
    while (start > 0 && found->start - start < WORD_MAX &&
           !is_space((unsigned char)text[start - 1]))
        start--;
    size_t len = found->end - start;
    if (len >= sizeof found->shown)
        len = sizeof found->shown - 1;
    (void)memcpy(found->shown, text + start, len);
    found->shown[len] = '\0';
    for (char *c = strchr(found->shown, '\n'); c; c = strchr(c, '\n'))
        *c = ' ';
}

size_t explain_match(const char *text, size_t len, struct explain_found ret[EXPLAIN_FOUND_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < explain_rows_count; i++) {
        struct explain_found one;
        if (match_row(&explain_rows[i], text, len, &one))
            n = insert(ret, n, &one);
    }
    for (size_t i = 0; i < n; i++)
        show(text, &ret[i]);
    return n;
}
