#include "tests/unit/tap.h"

#include <errno.h>
#include <string.h>

#include "lib/base/err.h"
#include "rootlesskit/getsubids.h"

static const struct {
    const char *text;
    int n; /* how many, or -errno */
    struct subid_range ranges[2];
} answers[] = {
    {"0: foo 100000 65536\n", 1, {{100000, 65536}}},
    {"# foo\n0: foo 100000 655360\n", 1, {{100000, 655360}}},
    {"\n  \t\n 0: foo 1 2\r\n1:\tfoo\t3  4", 2, {{1, 2}, {3, 4}}},
    {"0: foo 1 2 new\n1: foo 3 4:new\n", 2, {{1, 2}, {3, 4}}},
    {"", 0, {{0}}},
    {"No subuid ranges\n", -EINVAL, {{0}}},
    {"0: foo 1\n", -EINVAL, {{0}}},
    {"0: 1 2\n", -EINVAL, {{0}}},
    {"0: foo -1 2\n", -EINVAL, {{0}}},
    {"0: foo 1x 2\n", -EINVAL, {{0}}},
    {"0: foo 1 0\n", -EINVAL, {{0}}},
    {"0: foo 4294967295 1\n", -EINVAL, {{0}}},
    {"0: foo 4294967296 1\n", -EINVAL, {{0}}},
    {"0: foo 1 2\n1: foo 3 4\n2: foo 5 6\n", -E2BIG, {{0}}},
};

START_TEST(answer_is_read)
{
    struct subid_range ranges[2];
    struct err err = {0};
    int n = getsubids_parse(answers[_i].text, strlen(answers[_i].text), ranges, 2, &err);
    ck_assert_int_eq(n, answers[_i].n);
    for (int i = 0; i < n; i++) {
        ck_assert_uint_eq(ranges[i].start, answers[_i].ranges[i].start);
        ck_assert_uint_eq(ranges[i].count, answers[_i].ranges[i].count);
    }
}
END_TEST

START_TEST(line_is_named)
{
    static const char text[] = "# x\n0: foo 1 2\nodd\n";
    struct subid_range ranges[2];
    struct err err = {0};
    ck_assert_int_lt(getsubids_parse(text, strlen(text), ranges, 2, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.msg, "line 3"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("getsubids");
    TCase *cases = tcase_create("getsubids");
    tcase_add_loop_test(cases, answer_is_read, 0, sizeof answers / sizeof answers[0]);
    tcase_add_test(cases, line_is_named);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
