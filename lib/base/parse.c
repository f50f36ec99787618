#include "lib/base/parse.h"

#include <errno.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"

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
    const char *start = c->p;
    while (c->p < c->end && *c->p != stop)
        c->p++;
    *ret = start;
    *ret_len = (size_t)(c->p - start);
}

int parse_u32(const char *what, const char *s, uint32_t min, uint32_t max, uint32_t *ret,
              struct err *err)
{
    struct cursor c = cursor_of(s);
    uint64_t value = 0;
    if (!cursor_u64(&c, 10, UINT64_MAX, &value) || !cursor_done(&c))
        return err_set(err, EINVAL, "%s: \"%s\" is not a whole number from %u to %u", what, s, min,
                       max);
    if (value < min || value > max)
        return err_set(err, ERANGE, "%s: %s is out of range, it must be from %u to %u", what, s,
                       min, max);
    *ret = (uint32_t)value;
    return 0;
}

int parse_bool(const char *what, const char *s, bool *ret, struct err *err)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True", NULL};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False", NULL};
    if (str_index(yes, s) >= 0)
        *ret = true;
    else if (str_index(no, s) >= 0)
        *ret = false;
    else
        return err_set(err, EINVAL, "%s: \"%s\" is neither true nor false", what, s);
    return 0;
}
