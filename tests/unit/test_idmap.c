#include "tests/unit/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/file.h"
#include "lib/idmap/idmap.h"
#include "lib/idmap/policy.h"
#include "lib/subid/line.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const struct {
    const char *text;
    bool taken;
    uint64_t value;
} numbers[] = {
    {"0", true, 0},
    {"00", true, 0},
    {"010", true, 8},
    {"0x10", true, 16},
    {"0XfF", true, 255},
    {" \t+7", true, 7},
    {"1000", true, 1000},
    {"+ 7", false, 0},
    {"7 ", false, 0},
    {"+-7", false, 0},
    {"-7", false, 0},
    {"-0", false, 0},
    {"-", false, 0},
    {"", false, 0},
    {"0x", false, 0},
    {"0xg", false, 0},
    {"08", false, 0},
    {"1001", false, 0},
    {"18446744073709551616", false, 0},
    {"99999999999999999999x", false, 0},
};

START_TEST(number_is_strtouls)
{
    const char *text = numbers[_i].text;
    uint64_t value = 4711;
    ck_assert_int_eq(subid_number(text, strlen(text), 1000, &value), numbers[_i].taken);
    ck_assert_uint_eq(value, numbers[_i].taken ? numbers[_i].value : 4711);
}
END_TEST

static const struct {
    const char *words[10];
    int result;
    const char *says;
} requests[] = {
    {{"1", "0", "100", "1"}, 0, ""},
    {{"fd:3", "0", "100", "1"}, 0, ""},
    {{"1", "4294967294", "0", "1"}, 0, ""},
    {{"1", "0", "0", "4294967295"}, 0, ""},
    {{NULL}, -EINVAL, "no process"},
    {{"1"}, -EINVAL, "no gid range"},
    {{"0", "0", "100", "1"}, -EINVAL, "not a process id"},
    {{"2147483648", "0", "100", "1"}, -EINVAL, "not a process id"},
    {{"fd:", "0", "100", "1"}, -EINVAL, "number of an open fd"},
    {{"fd:-1", "0", "100", "1"}, -EINVAL, "number of an open fd"},
    {{"1", "0", "100"}, -EINVAL, "triplets"},
    {{"1", "0", "100", "0"}, -EINVAL, "count: \"0\" is not a number from"},
    {{"1", "0", "4294967295", "1"}, -EINVAL, "lowergid: \"4294967295\" is not a number from"},
    {{"1", "4294967295", "0", "1"}, -EINVAL, "gid: \"4294967295\" is not a number from"},
    {{"1", "0", "1", "4294967295"}, -EINVAL, "subgid overflow detected"},
    {{"1", "1", "0", "4294967295"}, -EINVAL, "subgid overflow detected"},
    {{"1", "0", "100", "10", "10", "110", "10"}, 0, ""},
    {{"1", "0", "100", "10", "9", "110", "10"},
     -EINVAL,
     "overlaps range [0-10) -> [100-110) inside"},
    {{"1", "10", "110", "10", "0", "101", "10"},
     -EINVAL,
     "overlaps range [10-20) -> [110-120) outside"},
    {{"1", "5", "100", "1", "0", "200", "10"}, -EINVAL, "overlaps"},
};

START_TEST(request_is_read_strictly)
{
    static struct idmap_request request;
    struct err err = {0};
    char words[COUNT(requests[0].words)][32];
    char *pointers[COUNT(requests[0].words)];
    int n = 0;
    for (; requests[_i].words[n]; n++) {
        (void)snprintf(words[n], sizeof words[n], "%s", requests[_i].words[n]);
        pointers[n] = words[n];
    }
    int r = idmap_parse(SUBID_GID, n, pointers, &request, &err);
    ck_assert_int_eq(r, requests[_i].result);
    ck_assert_ptr_nonnull(strstr(err.msg, requests[_i].says));
    if (r == 0)
        ck_assert_uint_eq(request.extents.n, (size_t)n / 3);
}
END_TEST

START_TEST(format_knows_the_page)
{
    static struct idmap_extents extents;
    static char text[IDMAP_TEXT_MAX];
    struct err err = {0};
    extents.n = IDMAP_EXTENTS_MAX;
    for (size_t i = 0; i < extents.n; i++)
        extents.list[i] = (struct idmap_extent){4000000000U, 4000000000U, 100000000U};
    ck_assert_int_eq(idmap_extents_format(&extents, 4096, text, &err), -E2BIG);
    ck_assert_ptr_nonnull(strstr(err.msg, "more than 4095 bytes"));
    ck_assert_int_eq(idmap_extents_format(&extents, 65536, text, &err), IDMAP_EXTENTS_MAX * 32);

    extents.n = 1;
    extents.list[0] = (struct idmap_extent){0, 1000, 1};
    ck_assert_int_eq(idmap_extents_format(&extents, 10, text, &err), 9);
    ck_assert_str_eq(text, "0 1000 1\n");
    ck_assert_int_eq(idmap_extents_format(&extents, 9, text, &err), -E2BIG);
}
END_TEST

static const struct {
    uint32_t start, count;
    bool covered;
} coverage[] = {
    {100, 10, true},        {100, 11, true},         {99, 2, false},
    {100, 30, true},        {100, 31, false},        {129, 1, true},
    {130, 1, false},        {105, 20, true},         {200, 5, true},
    {204, 2, false},        {0, 1, false},           {4294967290U, 5, true},
    {4294967290U, 4, true}, {4294967289U, 2, false}, {1, 4294967294U, false},
};

START_TEST(ranges_are_laid_end_to_end)
{
    /* out of order, overlapping, one within another, and one that ends at the last id */
    static const struct subid_range ranges[] = {
        {120, 10}, {200, 5}, {100, 15}, {110, 10}, {111, 2}, {4294967290U, 5},
    };
    ck_assert(idmap_policy_covered(ranges, COUNT(ranges), coverage[_i].start, coverage[_i].count) ==
              coverage[_i].covered);
    ck_assert(!idmap_policy_covered(ranges, 0, coverage[_i].start, coverage[_i].count));
}
END_TEST

static const struct {
    const char *text;
    const char *name; /* of uid 1500; NULL: not found */
    gid_t gid;
} passwds[] = {
    {"root:x:0:0:root:/root:/bin/sh\nann:x:1500:1600:Ann:/:/bin/sh\n", "ann", 1600},
    {"ann:x:1500:1600:", "ann", 1600},
    {"ann::01500:7::\n", "ann", 7},
    {"ann:x:1500:1600\n", NULL, 0},
    {"ann:x:1500\n", NULL, 0},
    {"ann:x:15000:1:::\nann:x:150:1:::\n", NULL, 0},
    {"ann:x:1500:-1:::\nbob:x:1500:2:::\n", "bob", 2},
    {"ann:x:+1500:1:::\n", NULL, 0},
    {"ann:x: 1500:1:::\n", NULL, 0},
    {"+ann:x:1500:1:::\n-ann:x:1500:1:::\n+::::::\n", NULL, 0},
    {":x:1500:1:::\n", NULL, 0},
    {"ann:x:4294968796:1:::\n", NULL, 0}, /* 2^32 + 1500 */
    {"ann:x:1500:4294967296:::\n", NULL, 0},
    {"one:x:1500:1:::\ntwo:x:1500:2:::\n", "one", 1},
    {"\n\n#ann:x:1501:1:::\nann:x:1500:1:::\n", "ann", 1},
    {"", NULL, 0},
};

START_TEST(passwd_is_read_strictly)
{
    struct idmap_caller caller = {0};
    const char *text = passwds[_i].text;
    bool found = idmap_caller_scan(text, strlen(text), 1500, &caller);
    ck_assert(found == (passwds[_i].name != NULL));
    ck_assert(caller.named == found);
    if (found) {
        ck_assert_str_eq(caller.name, passwds[_i].name);
        ck_assert_uint_eq(caller.primary_gid, passwds[_i].gid);
    }
}
END_TEST

START_TEST(long_names_are_passed_over)
{
    char text[IDMAP_NAME_MAX + 64];
    struct idmap_caller caller = {0};
    memset(text, 'a', IDMAP_NAME_MAX);
    (void)snprintf(text + IDMAP_NAME_MAX, 64, ":x:1500:1:::\n");
    ck_assert(!idmap_caller_scan(text, strlen(text), 1500, &caller));
    ck_assert(idmap_caller_scan(text + 1, strlen(text + 1), 1500, &caller));
    ck_assert_uint_eq(strlen(caller.name), IDMAP_NAME_MAX - 1);
}
END_TEST

static const struct {
    const char *text;
    bool granted;
} login_defs[] = {
    {"GRANT_AUX_GROUP_SUBIDS yes\n", true},
    {"  GRANT_AUX_GROUP_SUBIDS\t\"YES\"", true},
    {"#GRANT_AUX_GROUP_SUBIDS yes\n", false},
    {"# GRANT_AUX_GROUP_SUBIDS yes\n", false},
    {"GRANT_AUX_GROUP_SUBIDS yess\n", false},
    {"GRANT_AUX_GROUP_SUBIDS no\nGRANT_AUX_GROUP_SUBIDS yes\n", true},
    {"GRANT_AUX_GROUP_SUBIDS yes\nGRANT_AUX_GROUP_SUBIDS no\n", false},
    {"GRANT_AUX_GROUP_SUBIDS\nyes\n", false},
    {"GRANT_AUX_GROUP_SUBIDS", false},
    {"", false},
};

static char dir[] = "/tmp/rltest-idmap-XXXXXX";
static int dir_fd = -EBADF;

static void make_dir(void)
{
    ck_assert_ptr_nonnull(mkdtemp(dir));
    dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(dir_fd, 0);
}

static void remove_dir(void)
{
    (void)unlinkat(dir_fd, "login.defs", 0);
    (void)unlinkat(dir_fd, "subgid", 0);
    (void)close(dir_fd);
    (void)rmdir(dir);
    memcpy(dir + sizeof dir - 7, "XXXXXX", 6);
}

static void put(const char *name, const char *text)
{
    ck_assert_int_eq(file_create(dir_fd, name, 0644, text, NULL), 0);
}

START_TEST(aux_groups)
{
    put("login.defs", login_defs[_i].text);
    ck_assert(idmap_caller_aux_groups(dir_fd) == login_defs[_i].granted);
}
END_TEST

START_TEST(target_must_be_the_callers)
{
    struct idmap_caller ann = {.uid = 1500, .gid = 1600, .named = true, .primary_gid = 1600};
    struct err err = {0};
    ck_assert_int_eq(idmap_policy_target(&ann, dir_fd, 1500, 1600, &err), 0);
    ck_assert_int_eq(idmap_policy_target(&ann, dir_fd, 1501, 1600, &err), -EPERM);
    ck_assert_int_eq(idmap_policy_target(&ann, dir_fd, 1500, 1601, &err), -EPERM);
    ann.primary_gid = 1;
    ck_assert_int_eq(idmap_policy_target(&ann, dir_fd, 1500, 1600, &err), -EPERM);
    put("login.defs", "GRANT_AUX_GROUP_SUBIDS yes\n");
    ck_assert_int_eq(idmap_policy_target(&ann, dir_fd, 1500, 1600, &err), 0);
    ck_assert_int_eq(idmap_policy_target(&ann, dir_fd, 1500, 1, &err), -EPERM);
    ann.named = false;
    put("login.defs", "");
    ck_assert_int_eq(idmap_policy_target(&ann, dir_fd, 1500, 1600, &err), 0);

    struct idmap_caller root = {.named = true};
    ck_assert_int_eq(idmap_policy_target(&root, dir_fd, 1500, 1600, &err), -EPERM);
}
END_TEST

START_TEST(extents_must_be_granted_or_own)
{
    const struct idmap_caller ann = {.uid = 1500, .gid = 1600, .named = true, .name = "ann"};
    struct idmap_extents extents = {.n = 1, .list = {{0, 1600, 1}}};
    struct err err = {0};
    bool granted = true;

    ck_assert_int_eq(idmap_policy_extents(&ann, dir_fd, SUBID_GID, &extents, &granted, &err), 0);
    ck_assert(!granted);
    put("subgid", "ann:5000:10\n1500:5010:10\nbob:1600:1\n");
    ck_assert_int_eq(idmap_policy_extents(&ann, dir_fd, SUBID_GID, &extents, &granted, &err), 0);
    ck_assert(!granted);
    extents = (struct idmap_extents){.n = 2, .list = {{0, 1600, 1}, {1, 5005, 10}}};
    ck_assert_int_eq(idmap_policy_extents(&ann, dir_fd, SUBID_GID, &extents, &granted, &err), 0);
    ck_assert(granted);

    /* One's own uid is no gid of one's own. */
    granted = false;
    extents = (struct idmap_extents){.n = 2, .list = {{1, 5005, 10}, {0, 1500, 1}}};
    ck_assert_int_eq(idmap_policy_extents(&ann, dir_fd, SUBID_GID, &extents, &granted, &err),
                     -EPERM);
    ck_assert_str_eq(err.msg, "gid range [0-1) -> [1500-1501) not allowed: /etc/subgid grants ann "
                              "(uid 1500) 5000+10, 5010+10");
    ck_assert(!granted);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("idmap");
    TCase *cases = tcase_create("idmap");
    tcase_add_checked_fixture(cases, make_dir, remove_dir);
    tcase_add_loop_test(cases, number_is_strtouls, 0, COUNT(numbers));
    tcase_add_loop_test(cases, request_is_read_strictly, 0, COUNT(requests));
    tcase_add_test(cases, format_knows_the_page);
    tcase_add_loop_test(cases, ranges_are_laid_end_to_end, 0, COUNT(coverage));
    tcase_add_loop_test(cases, passwd_is_read_strictly, 0, COUNT(passwds));
    tcase_add_test(cases, long_names_are_passed_over);
    tcase_add_loop_test(cases, aux_groups, 0, COUNT(login_defs));
    tcase_add_test(cases, target_must_be_the_callers);
    tcase_add_test(cases, extents_must_be_granted_or_own);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
