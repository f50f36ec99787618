#include "tests/unit/tap.h"

#include <errno.h>

#include "lib/base/err.h"
#include "lib/subid/members.h"
#include "tests/unit/temp_etc.h"

static struct temp_etc etc;
static struct subid_place place;
static struct subid_accounts accounts;

static void make_etc(void)
{
    temp_etc_make(&etc);
    temp_etc_write(&etc, "passwd",
                   "root:x:0:0\nzoe:x:1000:100\nann:x:1001:100\nbob:x:1002:7\ntwin:x:1001:9\n"
                   "last:x:60000:9\nhigh:x:60001:9\nlow:x:999:9\nnobody:x:1005:9\n"
                   "nfsnobody:x:65534:9\n");
    temp_etc_write(&etc, "group",
                   "# staff:x:1:zoe\nroot:x:0:\nstaff:x:7:ann,ghost,zoe,spirit\nusers:x:100:bob\n"
                   "100:x:8:zoe\nbroken:x:9\nempty:x:55:\n");
    ck_assert_int_eq(subid_place_open(&place, etc.root, NULL), 0);
    ck_assert_int_eq(subid_accounts_read(&accounts, &place, NULL), 0);
}

static void remove_etc(void)
{
    subid_accounts_free(&accounts);
    subid_place_close(&place);
    temp_etc_remove(&etc, (const char *[]){"passwd", "group", "login.defs", NULL});
}

/* The names, with a blank behind each. */
static void expect_names(const struct subid_members *members, const char *wanted)
{
    char found[512] = "";
    for (size_t i = 0; i < members->n; i++)
        (void)snprintf(found + strlen(found), sizeof found - strlen(found), "%s ",
                       members->items[i].name);
    ck_assert_str_eq(found, wanted);
}

static const struct {
    const char *group;
    int result;
    const char *members, *unknown;
} groups[] = {
    {"staff", 0, "ann zoe bob ", "ghost"},
    {"7", 0, "ann zoe bob ", "ghost"},
    {"users", 0, "bob zoe ann ", NULL},
    {"100", 0, "zoe ", NULL}, /* a name before a number */
    {"empty", 0, "", NULL},
    {"broken", -ENOENT, "", NULL},
    {"# staff", -ENOENT, "", NULL},
    {"nothing", -ENOENT, "", NULL},
    {"a\nb", -ENOENT, "", NULL},
    {"4711", -ENOENT, "", NULL},
};

START_TEST(members_of_groups)
{
    struct subid_members members = {0};
    struct err err = {0};
    ck_assert_int_eq(subid_members_of(&members, &accounts, groups[_i].group, &err),
                     groups[_i].result);
    expect_names(&members, groups[_i].members);
    ck_assert_pstr_eq(members.unknown, groups[_i].unknown);
    ck_assert_ptr_null(strchr(err.msg, '\n'));
    subid_members_free(&members);
}
END_TEST

START_TEST(those_who_log_in)
{
    struct subid_members members = {0};
    ck_assert_int_eq(subid_members_login(&members, &accounts, NULL), 0);
    expect_names(&members, "zoe ann twin bob last ");
    subid_members_free(&members);
    temp_etc_write(&etc, "login.defs", "UID_MIN 1002\nUID_MAX\t65534\n");
    ck_assert_int_eq(subid_members_login(&members, &accounts, NULL), 0);
    expect_names(&members, "bob last high ");
    subid_members_free(&members);
}
END_TEST

START_TEST(users_of_a_uid)
{
    const struct subid_account *found = NULL;
    ck_assert_uint_eq(subid_accounts_with_uid(&accounts, 1001, &found), 2);
    ck_assert_str_eq(found[0].name, "ann");
    ck_assert_str_eq(found[1].name, "twin");
    ck_assert_uint_eq(subid_accounts_with_uid(&accounts, 65534, &found), 1);
    ck_assert_uint_eq(subid_accounts_with_uid(&accounts, 4242, &found), 0);
    ck_assert_ptr_null(found);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("subid_members");
    TCase *tree = tcase_create("tree");
    tcase_add_checked_fixture(tree, make_etc, remove_etc);
    tcase_add_loop_test(tree, members_of_groups, 0, sizeof groups / sizeof groups[0]);
    tcase_add_test(tree, those_who_log_in);
    tcase_add_test(tree, users_of_a_uid);
    suite_add_tcase(suite, tree);
    return tap_run(suite);
}
