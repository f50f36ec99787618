#include "tests/unit/tap.h"

#include <errno.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/subid/db.h"

static void expect_render(const struct subid_db *db, const char *wanted)
{
    cleanup_free char *text = NULL;
    size_t len = 0;
    ck_assert_int_eq(subid_db_render(db, &text, &len, NULL), 0);
    ck_assert_uint_eq(len, strlen(wanted));
    ck_assert_str_eq(text, wanted);
}

static void expect_diff(const struct subid_db *db, const char *wanted)
{
    static const struct subid_place place = {.live = true};
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    subid_db_diff(db, &place, out);
    (void)fclose(out);
    ck_assert_str_eq(text, wanted);
    free(text);
}

static const struct {
    const char *what, *before;
    uint32_t first, last;
    const char *after;
    uint64_t taken;
} removals[] = {
    {"all", "# c\nfoo:1:9\n\nbar:5:5\nfoo:50:1\n", 0, UINT32_MAX - 1, "# c\n\nbar:5:5\n", 10},
    {"exact", "foo:100000:10000\n", 100000, 109999, "", 10000},
    {"head", "foo:100000:10000\n", 100000, 105999, "foo:106000:4000\n", 6000},
    {"middle", "foo:200000:10000\nx\n", 205000, 207000, "foo:200000:5000\nfoo:207001:2999\nx\n",
     2001},
    {"tail", "foo:100000:10000\n", 100001, 200000, "foo:100000:1\n", 9999},
    {"disjoint", "foo:100000:10000\n", 1, 99999, "foo:100000:10000\n", 0},
    {"by number too", "1500:10:10\nfoo:30:10\n01500:50:10\n", 15, 54, "1500:10:5\n01500:55:5\n",
     20},
    {"others' stay", "root:100:10\nroo:100:10\nfooo:100:10\n", 0, 1000,
     "root:100:10\nroo:100:10\nfooo:100:10\n", 0},
    {"what is no range stays", "foo:1\nfoo:0:0\n+foo:1:1\n#foo:1:1\n", 0, 1000,
     "foo:1\nfoo:0:0\n+foo:1:1\n#foo:1:1\n", 0},
    {"hex is rewritten as decimal when split", "foo:0x10:0x10\n", 16, 16, "foo:17:15\n", 1},
};

START_TEST(removes_ranges)
{
    struct subid_db db;
    const char *before = removals[_i].before;
    ck_assert_int_eq(subid_db_parse(&db, SUBID_UID, before, strlen(before), NULL), 0);
    uint64_t taken = subid_db_remove(&db, "foo", 1500, removals[_i].first, removals[_i].last);
    ck_assert_uint_eq(taken, removals[_i].taken);
    ck_assert_int_eq(db.changed, taken > 0);
    expect_render(&db, removals[_i].after);
    subid_db_free(&db);
}
END_TEST

START_TEST(appends_and_keeps_every_byte)
{
    static const char before[] = "# one\r\nalice:1:1 \n\n\xff\xfe\nbob: 5:5\n# end";
    struct subid_db db;
    ck_assert_int_eq(subid_db_parse(&db, SUBID_UID, before, sizeof before - 1, NULL), 0);
    expect_diff(&db, "");
    ck_assert_int_eq(
        subid_db_add(&db, "carol", (struct subid_range){.start = 100000, .count = 65536}, NULL), 0);
    expect_render(&db, "# one\r\nalice:1:1 \n\n\xff\xfe\nbob: 5:5\n# end\ncarol:100000:65536\n");
    expect_diff(&db, "--- /etc/subuid\n+++ /etc/subuid\n@@ -6 +6,2 @@\n-# end\n"
                     "\\ No newline at end of file\n+# end\n+carol:100000:65536\n");
    subid_db_free(&db);
}
END_TEST

START_TEST(diff_is_what_diff_would_say)
{
    static const char before[] = "a:1:10\nb:20:10\nfoo:100:10\nc:40:10\nfoo:200:10\nfoo:300:10";
    struct subid_db db;
    ck_assert_int_eq(subid_db_parse(&db, SUBID_GID, before, sizeof before - 1, NULL), 0);
    (void)subid_db_remove(&db, "foo", 1500, 100, 304);
    ck_assert_int_eq(subid_db_add(&db, "d", (struct subid_range){.start = 7, .count = 1}, NULL), 0);
    expect_render(&db, "a:1:10\nb:20:10\nc:40:10\nfoo:305:5\nd:7:1\n");
    expect_diff(&db, "--- /etc/subgid\n+++ /etc/subgid\n@@ -3 +2,0 @@\n-foo:100:10\n"
                     "@@ -5,2 +4,2 @@\n-foo:200:10\n-foo:300:10\n\\ No newline at end of file\n"
                     "+foo:305:5\n+d:7:1\n");
    subid_db_free(&db);
}
END_TEST

static const struct {
    const char *name;
    bool good;
} names[] = {
    {"alice", true},        {"a.b-c_d$", true}, {"user@dom.example", true},
    {"DOM\\joe doe", true}, {"", false},        {"a:b", false},
    {"a\nb", false},        {"-a", false},      {"+a", false},
    {"#a", false},          {"!a", false},      {" a", false},
    {"a ", false},          {"1500", false},    {"a\tb", false},
    {"15a", true},
};

START_TEST(names_that_would_break_the_file)
{
    struct err err = {0};
    int r = subid_owner_check(names[_i].name, &err);
    ck_assert_int_eq(r, names[_i].good ? 0 : -EINVAL);
    ck_assert_ptr_null(strchr(err.msg, '\n'));
}
END_TEST

START_TEST(longest_name_makes_a_line_that_is_read)
{
    char name[SUBID_LINE_MAX];
    size_t len = SUBID_LINE_MAX - 1;
    memset(name, 'n', len);
    name[len] = '\0';
    while (subid_owner_check(name, NULL) < 0)
        name[--len] = '\0';
    char line[SUBID_LINE_MAX + 32];
    int n = snprintf(line, sizeof line, "%s:%u:%u", name, 4000000000u, 100000000u);
    struct subid_line parsed;
    ck_assert(subid_line_parse(line, (size_t)n, &parsed));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("subid_db");
    TCase *cases = tcase_create("db");
    tcase_add_loop_test(cases, removes_ranges, 0, sizeof removals / sizeof removals[0]);
    tcase_add_test(cases, appends_and_keeps_every_byte);
    tcase_add_test(cases, diff_is_what_diff_would_say);
    tcase_add_loop_test(cases, names_that_would_break_the_file, 0, sizeof names / sizeof names[0]);
    tcase_add_test(cases, longest_name_makes_a_line_that_is_read);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
