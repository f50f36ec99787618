#include "tests/unit/tap.h"

#include <errno.h>
#include <string.h>

#include "lib/base/err.h"
#include "rootlesskit/slice.h"
#include "rootlesskit/slicebook.h"

#define GIVEN(o, c) ((struct slice){.kind = SLICE_GIVEN, .offset = (o), .count = (c)})
#define AUTO ((struct slice){.kind = SLICE_AUTO})

static const char *const bad_options[] = {"",     "1",   "1:",    ":1",           "1:0",  "1:2:3",
                                          "-1:1", "1:x", "0x1:1", "4294967295:1", "1 :1", "Auto"};

START_TEST(option_is_refused)
{
    struct slice slice;
    struct err err = {0};
    ck_assert_int_eq(slice_parse(&slice, bad_options[_i], &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.msg, "neither auto nor OFFSET:COUNT"));
}
END_TEST

START_TEST(option_is_taken)
{
    struct slice slice;
    ck_assert_int_eq(slice_parse(&slice, NULL, NULL), 0);
    ck_assert_int_eq(slice.kind, SLICE_NONE);
    ck_assert_int_eq(slice_parse(&slice, "auto", NULL), 0);
    ck_assert_int_eq(slice.kind, SLICE_AUTO);
    ck_assert_int_eq(slice_parse(&slice, "65536:7", NULL), 0);
    ck_assert_int_eq(slice.kind, SLICE_GIVEN);
    ck_assert_uint_eq(slice.offset, 65536);
    ck_assert_uint_eq(slice.count, 7);
}
END_TEST

static const struct {
    const char *text;
    const char *said; /* NULL: a good one */
} books[] = {
    {"", NULL},
    {"0 65536 /a\n65536 1 /a b\n", NULL},
    {"0 65536 /a", NULL},
    {"0 65536 /a\n\n", "line 2"},
    {"0 65536\n", "line 1"},
    {"0 65536 \n", "line 1"},
    {"0 65536 a\n", "line 1"},
    {"0  65536 /a\n", "line 1"},
    {" 0 65536 /a\n", "line 1"},
    {"0 0 /a\n", "line 1"},
    {"4294967295 1 /a\n", "line 1"},
    {"0 99999999999 /a\n", "line 1"},
    {"# mine\n", "line 1"},
    {"0 10 /a\n20 10 /b\n29 1 /c\n", "line 3: its ids or its directory are those of line 2"},
    {"0 10 /a\n20 10 /a\n", "line 2"},
};

START_TEST(book_is_read)
{
    struct slicebook book;
    struct err err = {0};
    const char *text = books[_i].text;
    int r = slicebook_parse(&book, "BOOK", text, strlen(text), &err);
    ck_assert_int_eq(r, books[_i].said ? -EINVAL : 0);
    if (books[_i].said) {
        ck_assert_ptr_eq(strstr(err.msg, "BOOK, line "), err.msg);
        ck_assert_ptr_nonnull(strstr(err.msg, books[_i].said));
    } else {
        slicebook_free(&book);
    }
}
END_TEST

#define BOOK "65536 65536 /b\n131072 10 /c d\n"

static const struct {
    const char *dir;
    struct slice wanted;
    uint32_t total;
    int r;
    uint32_t offset, count;
} choices[] = {
    {"/new", AUTO, 65536, 1, 0, 65536},
    {"/b", AUTO, 200000, 0, 65536, 65536},
    {"/c d", AUTO, 200000, 0, 131072, 10},
    {"/c", GIVEN(131082, 1), 200000, 1, 131082, 1},
    {"/b", GIVEN(65536, 65536), 9, 0, 65536, 65536},
    {"/b", GIVEN(65536, 10), 200000, -EBUSY, 0, 0},
    {"/new", GIVEN(65535, 2), 200000, -EBUSY, 0, 0},
    {"/new", GIVEN(0, 65536), 200000, 1, 0, 65536},
    {"/new", AUTO, 65535, -ENOSPC, 0, 0},
};

START_TEST(slice_is_chosen)
{
    struct slicebook book;
    struct slice slice = {.kind = SLICE_NONE};
    ck_assert_int_eq(slicebook_parse(&book, "BOOK", BOOK, strlen(BOOK), NULL), 0);
    ck_assert_int_eq(slicebook_choose(&book, choices[_i].dir, choices[_i].wanted, choices[_i].total,
                                      &slice, NULL),
                     choices[_i].r);
    ck_assert_uint_eq(slice.offset, choices[_i].offset);
    ck_assert_uint_eq(slice.count, choices[_i].count);
    slicebook_free(&book);
}
END_TEST

START_TEST(what_is_left_is_told)
{
    static const char text[] = "10 65536 /a\n70000 60000 /b\n";
    struct slicebook book;
    struct slice slice;
    struct err err = {0};
    ck_assert_int_eq(slicebook_parse(&book, "BOOK", text, strlen(text), NULL), 0);
    ck_assert_int_eq(slicebook_choose(&book, "/c", AUTO, 195535, &slice, &err), -ENOSPC);
    ck_assert_ptr_nonnull(strstr(err.msg, "69999 of your 195535"));
    ck_assert_int_eq(slicebook_choose(&book, "/c", AUTO, 195536, &slice, &err), 1);
    ck_assert_uint_eq(slice.offset, 130000);
    slicebook_free(&book);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slice");
    TCase *cases = tcase_create("slice");
    tcase_add_loop_test(cases, option_is_refused, 0, sizeof bad_options / sizeof bad_options[0]);
    tcase_add_test(cases, option_is_taken);
    tcase_add_loop_test(cases, book_is_read, 0, sizeof books / sizeof books[0]);
    tcase_add_loop_test(cases, slice_is_chosen, 0, sizeof choices / sizeof choices[0]);
    tcase_add_test(cases, what_is_left_is_told);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
