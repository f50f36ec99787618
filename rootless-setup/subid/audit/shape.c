#include "rootless-setup/subid/audit/shape.h"

#include <inttypes.h>
#include <string.h>

#include "lib/base/cursor.h"
#include "lib/base/str.h"

static bool is_blank(char ch)
{
    return ch == ' ' || (ch >= '\t' && ch <= '\r');
}

size_t audit_fields(const char *text, size_t len, struct audit_field *ret, size_t max)
{
    struct cursor c = {.p = text, .end = text + len};
    for (size_t n = 0;; n++) {
        const char *p = NULL;
        size_t field_len = 0;
        cursor_until(&c, ':', &p, &field_len);
        if (n < max)
            ret[n] = (struct audit_field){p, field_len};
        if (!cursor_char(&c, ':'))
            return n + 1;
    }
}

struct audit_field audit_trim(const char *text, size_t len)
{
    while (len > 0 && is_blank(text[len - 1]))
        len--;
    while (len > 0 && is_blank(text[0])) {
        text++;
        len--;
    }
    return (struct audit_field){text, len};
}

bool audit_line_is_plain(const char *text, size_t len, const struct subid_line *line)
{
    char tail[32];
    int n = str_format(tail, sizeof tail, ":%" PRIu32 ":%" PRIu32, line->start, line->count);
    return n > 0 && len == line->owner_len + (size_t)n &&
           memcmp(text + line->owner_len, tail, (size_t)n) == 0;
}

bool audit_line_is_empty(const char *text, size_t len)
{
    struct audit_field line = audit_trim(text, len);
    return line.len == 0 || line.p[0] == '#';
}

static const char *number_fault(struct audit_field field)
{
    uint64_t value = 0;
    if (field.len > 0 && (is_blank(field.p[field.len - 1])))
        return "there is a blank or a carriage return behind a number";
    if (field.len == 0)
        return "a number is missing";
    if (field.p[0] == '-')
        return "a number is negative";
    if (!subid_number(field.p, field.len, UINT64_MAX, &value))
        return "a number is none";
    return value > UINT32_MAX ? "a number is above 4294967295" : NULL;
}

static const char *range_fault(const struct audit_field fields[3])
{
    const char *why = number_fault(fields[1]);
    if (!why)
        why = number_fault(fields[2]);
    if (why)
        return why;
    uint64_t start = 0, count = 0;
    (void)subid_number(fields[1].p, fields[1].len, UINT32_MAX, &start);
    (void)subid_number(fields[2].p, fields[2].len, UINT32_MAX, &count);
    if (count == 0)
        return "its count is 0";
    return start + count > UINT32_MAX ? "it reaches 4294967295, which is no id" : "it is no range";
}

const char *audit_line_fault(const char *text, size_t len)
{
    struct audit_field fields[3];
    if (len >= SUBID_LINE_MAX)
        return "it has 1024 bytes or more";
    if (memchr(text, '\0', len))
        return "it has a NUL byte";
    if (text[0] == '+' || text[0] == '-')
        return "it begins with + or -, the mark of NIS";
    if (audit_fields(text, len, fields, 3) != 3)
        return "it has not three fields";
    if (fields[0].len == 0)
        return "its owner is missing";
    return range_fault(fields);
}

static bool plain_number(struct audit_field field, uint64_t *ret)
{
    struct cursor c = {.p = field.p, .end = field.p + field.len};
    bool zeros = field.len > 1 && field.p[0] == '0';
    return !zeros && cursor_u64(&c, 10, UINT32_MAX, ret) && cursor_done(&c);
}

bool audit_line_trimmed(const char *text, size_t len, struct subid_line *ret)
{
    struct audit_field fields[3];
    uint64_t start = 0, count = 0;
    if (len >= SUBID_LINE_MAX || memchr(text, '\0', len) || audit_fields(text, len, fields, 3) != 3)
        return false;
    for (size_t i = 0; i < 3; i++)
        fields[i] = audit_trim(fields[i].p, fields[i].len);
    if (fields[0].len == 0 || strchr("+-#!", fields[0].p[0]) || !plain_number(fields[1], &start) ||
        !plain_number(fields[2], &count) || count == 0 || start + count > UINT32_MAX)
        return false;
    *ret = (struct subid_line){.owner = fields[0].p,
                               .owner_len = fields[0].len,
                               .start = (uint32_t)start,
                               .count = (uint32_t)count};
    return true;
}
