#include "tests/unit/tap.h"

#include <errno.h>
#include <stdint.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/parse.h"

static const struct {
    const char *text;
    int result;
    uint32_t value;
} numbers[] = {
    {"0", 0, 0},
    {"65520", 0, 65520},
    {"4294967295", 0, UINT32_MAX},
    {"4294967296", -ERANGE, 0},
    {"18446744073709551616", -EINVAL, 0},
    {"", -EINVAL, 0},
    {"-1", -EINVAL, 0},
    {"+1", -EINVAL, 0},
    {" 1", -EINVAL, 0},
    {"1 ", -EINVAL, 0},
    {"0x10", -EINVAL, 0},
};

START_TEST(u32_is_strict)
{
    uint32_t value = 0;
    struct err err = {0};
    int r = parse_u32("n", numbers[_i].text, 0, UINT32_MAX, &value, &err);
    ck_assert_int_eq(r, numbers[_i].result);
    if (r == 0)
        ck_assert_uint_eq(value, numbers[_i].value);
    else
        ck_assert_int_eq(err.code, -r);
}
END_TEST

START_TEST(cursor_stays_on_failure)
{
    struct cursor c = cursor_of("12x");
    uint64_t value = 0;
    ck_assert(!cursor_u64(&c, 10, 9, &value));
    ck_assert_int_eq(*c.p, '1');
    ck_assert(cursor_u64(&c, 10, 99, &value));
    ck_assert_uint_eq(value, 12);
    ck_assert(!cursor_u64(&c, 10, 99, &value));
    ck_assert(cursor_char(&c, 'x'));
    ck_assert(cursor_done(&c));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parse");
    TCase *cases = tcase_create("parse");
    tcase_add_loop_test(cases, u32_is_strict, 0, sizeof numbers / sizeof numbers[0]);
    tcase_add_test(cases, cursor_stays_on_failure);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
