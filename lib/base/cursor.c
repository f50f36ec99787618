#include "lib/base/cursor.h"

#include <string.h>

struct cursor cursor_of(const char *s)
{
    return (struct cursor){.p = s, .end = s + strlen(s)};
}

bool cursor_done(const struct cursor *c)
{
    return c->p == c->end;
}

bool cursor_char(struct cursor *c, char ch)
{
    if (c->p == c->end || *c->p != ch)
        return false;
    c->p++;
    return true;
}

void cursor_blanks(struct cursor *c)
{
    while (cursor_char(c, ' ') || cursor_char(c, '\t'))
        continue;
}

static unsigned digit_of(char ch)
{
    if (ch >= '0' && ch <= '9')
        return (unsigned)(ch - '0');
    if (ch >= 'a' && ch <= 'f')
        return (unsigned)(ch - 'a') + 10;
    if (ch >= 'A' && ch <= 'F')
        return (unsigned)(ch - 'A') + 10;
    return 255;
}

bool cursor_u64(struct cursor *c, unsigned base, uint64_t max, uint64_t *ret)
{
    uint64_t value = 0;
    const char *p = c->p;
    for (; p < c->end; p++) {
        unsigned d = digit_of(*p);
        if (d >= base)
            break;
        if (value > (UINT64_MAX - d) / base)
            return false;
        value = value * base + d;
        if (value > max)
            return false;
    }
    if (p == c->p)
        return false;
    c->p = p;
    *ret = value;
    return true;
}

void cursor_until(struct cursor *c, char stop, const char **ret, size_t *ret_len)
{
    size_t left = (size_t)(c->end - c->p);
    const char *found = left > 0 ? memchr(c->p, stop, left) : NULL;
    *ret = c->p;
    c->p = found ? found : c->end;
    *ret_len = (size_t)(c->p - *ret);
}

bool cursor_line(struct cursor *c, struct cursor *ret)
{
    if (c->p == c->end)
        return false;
    const char *newline = memchr(c->p, '\n', (size_t)(c->end - c->p));
    *ret = (struct cursor){.p = c->p, .end = newline ? newline : c->end};
    c->p = newline ? newline + 1 : c->end;
    return true;
}
