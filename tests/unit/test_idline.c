#include "tests/unit/tap.h"

#include <errno.h>

#include "lib/base/err.h"
#include "rootlesskit/idline.h"

#define OWN 1000

static void is_line(const struct idline *line, const struct subid_range *want, size_t n)
{
    uint32_t total = 0;
    ck_assert_uint_eq(line->n, n);
    for (size_t i = 0; i < n; i++) {
        ck_assert_uint_eq(line->items[i].start, want[i].start);
        ck_assert_uint_eq(line->items[i].count, want[i].count);
        total += want[i].count;
    }
    ck_assert_uint_eq(line->total, total);
}

static const struct {
    struct subid_range ranges[4];
    size_t n;
    struct subid_range line[4];
    size_t line_n;
} lines[] = {
    {{{100, 10}}, 1, {{100, 10}}, 1},
    {{{200, 10}, {100, 10}}, 2, {{200, 10}, {100, 10}}, 2},
    {{{100, 10}, {200, 5}, {100, 10}}, 3, {{100, 10}, {200, 5}}, 2},
    {{{100, 10}, {110, 10}}, 2, {{100, 10}, {110, 10}}, 2},
    {{{990, 20}}, 1, {{990, 10}, {1001, 9}}, 2},
    {{{1000, 5}}, 1, {{1001, 4}}, 1},
    {{{996, 5}}, 1, {{996, 4}}, 1},
    {{{1000, 1}, {5, 1}}, 2, {{5, 1}}, 1},
};

START_TEST(ranges_become_a_line)
{
    struct idline line;
    ck_assert_int_eq(idline_make(&line, lines[_i].ranges, lines[_i].n, OWN, "uids", NULL), 0);
    is_line(&line, lines[_i].line, lines[_i].line_n);
}
END_TEST

START_TEST(overlapping_ranges_are_refused)
{
    const struct subid_range ranges[] = {{100, 10}, {105, 10}}, inside[] = {{100, 10}, {100, 9}};
    struct idline line;
    struct err err = {0};
    ck_assert_int_eq(idline_make(&line, ranges, 2, OWN, "uids", &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.msg, "100:10 and 105:10 of your subordinate uids overlap"));
    ck_assert_int_eq(idline_make(&line, inside, 2, OWN, "uids", NULL), -EINVAL);
}
END_TEST

START_TEST(too_many_are_refused)
{
    const struct subid_range all[] = {{0, 4000000000}, {4000000000, 294967295}};
    struct subid_range many[SUBID_RANGES_MAX + 1];
    struct idline line;
    ck_assert_int_eq(idline_make(&line, all, 2, OWN, "uids", NULL), 0); /* the own id is out */
    ck_assert_int_eq(idline_make(&line, all, 2, UINT32_MAX, "uids", NULL), -ERANGE);
    for (uint32_t i = 0; i <= SUBID_RANGES_MAX; i++)
        many[i] = (struct subid_range){.start = 10000 + 2 * i, .count = 1};
    ck_assert_int_eq(idline_make(&line, many, SUBID_RANGES_MAX, OWN, "uids", NULL), 0);
    ck_assert_int_eq(idline_make(&line, many, SUBID_RANGES_MAX + 1, OWN, "uids", NULL), -ERANGE);
}
END_TEST

static const struct {
    uint32_t offset, count;
    struct subid_range piece[3];
    size_t n;
} cuts[] = {
    {0, 30, {{100, 10}, {50, 5}, {200, 15}}, 3},
    {0, 10, {{100, 10}}, 1},
    {3, 4, {{103, 4}}, 1},
    {9, 3, {{109, 1}, {50, 2}}, 2},
    {10, 5, {{50, 5}}, 1},
    {15, 15, {{200, 15}}, 1},
    {14, 2, {{54, 1}, {200, 1}}, 2},
    {29, 1, {{214, 1}}, 1},
};

START_TEST(a_line_is_cut)
{
    const struct subid_range ranges[] = {{100, 10}, {50, 5}, {200, 15}};
    struct idline line;
    ck_assert_int_eq(idline_make(&line, ranges, 3, OWN, "uids", NULL), 0);
    idline_cut(&line, cuts[_i].offset, cuts[_i].count);
    is_line(&line, cuts[_i].piece, cuts[_i].n);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("idline");
    TCase *cases = tcase_create("idline");
    tcase_add_loop_test(cases, ranges_become_a_line, 0, sizeof lines / sizeof lines[0]);
    tcase_add_test(cases, overlapping_ranges_are_refused);
    tcase_add_test(cases, too_many_are_refused);
    tcase_add_loop_test(cases, a_line_is_cut, 0, sizeof cuts / sizeof cuts[0]);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
