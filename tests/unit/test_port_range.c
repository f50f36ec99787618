#include "tests/unit/tap.h"

#include <errno.h>
#include <string.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "rootlesskit/port/range.h"

static const struct {
    const char *text;
    struct port_range range;
    const char *rest;
} good[] = {
    {"1", {1, 1}, ""},
    {"65535", {65535, 65535}, ""},
    {"80-90", {80, 90}, ""},
    {"1-65535", {1, 65535}, ""},
    {"80-80", {80, 80}, ""},
    {"00080", {80, 80}, ""},
    {"80,443", {80, 80}, ",443"},
    {"80-90-100", {80, 90}, "-100"},
    {"80 -90", {80, 80}, " -90"},
    {"80http", {80, 80}, "http"},
};

START_TEST(ports_and_ranges_are_read)
{
    struct cursor c = cursor_of(good[_i].text);
    struct port_range range = {0};
    struct err err = {0};
    int r = port_range_read(&c, &range, &err);
    ck_assert_msg(r == 0, "%s: %s", good[_i].text, err.msg);
    ck_assert_uint_eq(range.first, good[_i].range.first);
    ck_assert_uint_eq(range.last, good[_i].range.last);
    ck_assert_str_eq(c.p, good[_i].rest);
}
END_TEST

#define NUMBER "a port is a number from 1 to 65535"
static const struct {
    const char *text, *said;
} bad[] = {
    {"", NUMBER},
    {"0", NUMBER},
    {"0-80", NUMBER},
    {"65536", NUMBER},
    {"18446744073709551617", NUMBER},
    {"99999999999999999999999999999999", NUMBER},
    {"-1", NUMBER},
    {"+1", NUMBER},
    {" 80", NUMBER},
    {"0x50", NUMBER},
    {"http", NUMBER},
    {"80-", NUMBER},
    {"80-0", NUMBER},
    {"80-65536", NUMBER},
    {"80-18446744073709551617", NUMBER},
    {"80- 90", NUMBER},
    {"80--90", NUMBER},
    {"90-80", "the range of ports 90-80 ends before it begins"},
    {"65535-1", "the range of ports 65535-1 ends before it begins"},
};

START_TEST(what_is_none_is_refused_and_changes_nothing)
{
    struct cursor c = cursor_of(bad[_i].text);
    struct port_range range = {7, 8};
    struct err err = {0};
    ck_assert_int_eq(port_range_read(&c, &range, &err), -EINVAL);
    ck_assert_str_eq(err.msg, bad[_i].said);
    ck_assert_ptr_eq(c.p, bad[_i].text);
    ck_assert_uint_eq(range.first, 7);
    ck_assert_uint_eq(range.last, 8);
    ck_assert_int_eq(port_range_read(&c, &range, NULL), -EINVAL);
}
END_TEST

START_TEST(a_range_has_both_its_ends)
{
    static const struct port_range ranges[] = {{80, 80}, {1000, 2000}, {65535, 65535}};
    static const uint16_t within[] = {80, 1000, 1500, 2000, 65535};
    static const uint16_t without[] = {0, 1, 79, 81, 999, 2001, 65534};
    for (size_t i = 0; i < sizeof within / sizeof within[0]; i++)
        ck_assert_msg(port_range_has(ranges, 3, within[i]), "%u", within[i]);
    for (size_t i = 0; i < sizeof without / sizeof without[0]; i++)
        ck_assert_msg(!port_range_has(ranges, 3, without[i]), "%u", without[i]);
    ck_assert(!port_range_has(ranges, 2, 65535));
    ck_assert(!port_range_has(NULL, 0, 80));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("port_range");
    TCase *cases = tcase_create("port_range");
    tcase_add_loop_test(cases, ports_and_ranges_are_read, 0, sizeof good / sizeof good[0]);
    tcase_add_loop_test(cases, what_is_none_is_refused_and_changes_nothing, 0,
                        sizeof bad / sizeof bad[0]);
    tcase_add_test(cases, a_range_has_both_its_ends);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
