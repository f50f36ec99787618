#include "lib/subid/line.h"

#include <string.h>

#include "lib/base/cursor.h"

static bool is_blank(char ch)
{
    return ch == ' ' || (ch >= '\t' && ch <= '\r'); /* isspace() of the C locale */
}

bool subid_number(const char *text, size_t len, uint64_t max, uint64_t *ret)
{
    struct cursor c = {.p = text, .end = text + len};
    while (c.p < c.end && is_blank(*c.p))
        c.p++;
    (void)cursor_char(&c, '+');
    unsigned base = 10;
    if (c.end - c.p > 1 && c.p[0] == '0') {
        bool hex = c.p[1] == 'x' || c.p[1] == 'X';
        base = hex ? 16 : 8;
        c.p += hex ? 2 : 1;
    }
    uint64_t value = 0;
    if (!cursor_u64(&c, base, max, &value) || !cursor_done(&c))
        return false;
    *ret = value;
    return true;
}

static bool take_field(struct cursor *c, const char **ret, size_t *ret_len)
{
    cursor_until(c, ':', ret, ret_len);
    return *ret_len > 0;
}

bool subid_line_parse(const char *text, size_t len, struct subid_line *ret)
{
    if (len == 0 || len >= SUBID_LINE_MAX || text[0] == '+' || text[0] == '-' ||
        memchr(text, '\0', len))
        return false;
    struct cursor c = {.p = text, .end = text + len};
    const char *owner = NULL, *start_text = NULL, *count_text = NULL;
    size_t owner_len = 0, start_len = 0, count_len = 0;
    if (!take_field(&c, &owner, &owner_len) || !cursor_char(&c, ':') ||
        !take_field(&c, &start_text, &start_len) || !cursor_char(&c, ':') ||
        !take_field(&c, &count_text, &count_len) || !cursor_done(&c))
        return false;
    uint64_t start = 0, count = 0;
    if (!subid_number(start_text, start_len, UINT32_MAX, &start) ||
        !subid_number(count_text, count_len, UINT32_MAX, &count))
        return false;
    if (count == 0 || start + count > UINT32_MAX)
        return false;
    *ret = (struct subid_line){
        .owner = owner, .owner_len = owner_len, .start = (uint32_t)start, .count = (uint32_t)count};
    return true;
}

bool subid_owner_uid(const char *owner, size_t len, uid_t *ret)
{
    struct cursor c = {.p = owner, .end = owner + len};
    uint64_t value = 0;
    if (!cursor_u64(&c, 10, UINT32_MAX - 1, &value) || !cursor_done(&c))
        return false;
    *ret = (uid_t)value;
    return true;
}
