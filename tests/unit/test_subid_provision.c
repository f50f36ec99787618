#include "tests/unit/tap.h"

#include <errno.h>
#include <sys/stat.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/subid/provision.h"
#include "tests/unit/temp_etc.h"

/* ---- the search ---- */

static void take(struct subid_space *space, uint64_t start, uint64_t end)
{
    struct subid_interval interval = {.start = start, .end = end, .what = "", .who = ""};
    ck_assert_int_eq(subid_space_take(space, interval, NULL), 0);
}

START_TEST(fit_is_the_lowest_gap)
{
    /* against the plain way to say it: try every start, in a small world, many times over */
    unsigned seed = (unsigned)_i + 1;
    struct subid_space space = {0};
    bool used[200] = {false};
    for (int i = 0; i < 8; i++) {
        unsigned start = (unsigned)rand_r(&seed) % 180, len = (unsigned)rand_r(&seed) % 20;
        take(&space, start, start + len);
        for (unsigned id = start; id < start + len; id++)
            used[id] = true;
    }
    uint32_t count = 1 + (uint32_t)rand_r(&seed) % 12, min = (uint32_t)rand_r(&seed) % 50;
    struct subid_fit fit;
    subid_fit_begin(&fit, &space, min, 199, count);
    for (;;) {
        uint32_t found = 0, wanted = min;
        for (; wanted + count <= 200; wanted++) {
            uint32_t n = 0;
            while (n < count && !used[wanted + n])
                n++;
            if (n == count)
                break;
        }
        bool fits = subid_fit_next(&fit, &found);
        ck_assert_int_eq(fits, wanted + count <= 200);
        if (!fits)
            break;
        ck_assert_uint_eq(found, wanted);
        for (uint32_t id = found; id < found + count; id++)
            used[id] = true;
    }
    subid_space_free(&space);
}
END_TEST

START_TEST(hit_is_the_same_sorted_and_unsorted)
{
    unsigned seed = (unsigned)_i + 1;
    struct subid_space space = {0}, sorted = {0};
    for (int i = 0; i < 12; i++) {
        unsigned start = (unsigned)rand_r(&seed) % 100;
        take(&space, start, start + 1 + (unsigned)rand_r(&seed) % 20);
    }
    ck_assert_int_eq(subid_space_take_all(&sorted, &space, NULL), 0);
    subid_space_sort(&sorted);
    for (unsigned start = 0; start < 130; start++)
        for (unsigned end = start + 1; end < 130; end += 7)
            ck_assert_int_eq(subid_space_hit(&space, start, end) != NULL,
                             subid_space_hit(&sorted, start, end) != NULL);
    subid_space_free(&space);
    subid_space_free(&sorted);
}
END_TEST

START_TEST(fit_at_the_ends_of_the_world)
{
    struct subid_space space = {0};
    struct subid_fit fit;
    uint32_t start = 0;
    take(&space, 0, UINT32_MAX - 1);
    subid_fit_begin(&fit, &space, 0, UINT32_MAX - 1, 1);
    ck_assert(subid_fit_next(&fit, &start));
    ck_assert_uint_eq(start, UINT32_MAX - 1);
    ck_assert(!subid_fit_next(&fit, &start));
    subid_fit_begin(&fit, &space, 0, UINT32_MAX - 1, UINT32_MAX - 1);
    ck_assert(!subid_fit_next(&fit, &start));
    subid_space_free(&space);
}
END_TEST

/* ---- whole commands on a tree ---- */

static struct temp_etc etc;
static struct subid_place place;

static void make_etc(void)
{
    temp_etc_make(&etc);
    temp_etc_write(&etc, "passwd",
                   "root:x:0:0\nfoo:x:1500:1500\nbar:x:1501:1501\nbaz:x:1502:1\n"
                   "ldap:x:300000:1500\n12:x:1600:1\nfoo2:x:1500:1\n");
    temp_etc_write(&etc, "group", "big:x:500000:\n");
    ck_assert_int_eq(subid_place_open(&place, etc.root, NULL), 0);
}

static void remove_etc(void)
{
    subid_place_close(&place);
    temp_etc_remove(&etc, (const char *[]){"passwd", "group", "subuid", "subgid", "subuid-",
                                           "subgid-", "login.defs", NULL});
}

/* Serves the users in the NULL-ended list. */
static int serve(const char *const *users, const struct subid_wish *wish,
                 const struct subid_range *ranges, size_t n_ranges, struct err *err)
{
    struct subid_accounts accounts;
    struct subid_transaction transaction = {0};
    struct subid_provision provision = {0};
    struct subid_account user;
    struct subid_grant grant;
    int r = subid_accounts_read(&accounts, &place, err);
    if (r == 0)
        r = subid_begin(&transaction, &place, true, 0, err);
    if (r == 0)
        r = subid_provision_begin(&provision, &transaction, &accounts, wish, err);
    for (; *users && r == 0; users++) {
        r = subid_account_find(&accounts, *users, &user, err);
        if (r == 0 && n_ranges == 0)
            r = subid_provision_user(&provision, &user, &grant, err);
        for (size_t i = 0; i < n_ranges && r == 0; i++)
            r = subid_provision_range(&provision, &user, ranges[i], &grant, err);
    }
    if (r == 0)
        r = subid_commit(&transaction, err);
    subid_provision_end(&provision);
    subid_end(&transaction);
    subid_accounts_free(&accounts);
    return r;
}

static int add(const char *const *users, uint32_t count, const struct subid_range *range,
               struct err *err)
{
    struct subid_wish wish = {.count = range ? 0 : count, .exact = range != NULL};
    return serve(users, &wish, range, range ? 1 : 0, err);
}

/* The cases of shadow's own test suite that speak of where a range goes, with its count of 10000,
 * and ours; "" stands for a file that is not there. */
static const struct {
    const char *what, *uid, *gid, *defs, *uid_after, *gid_after;
    int result;
} cases[] = {
    {"no files", "", "", "", "foo:100000:10000\n", "foo:100000:10000\n", 0},
    {"gap at the start", "root:110000:10000\n", "", "", "root:110000:10000\nfoo:100000:10000\n",
     "foo:100000:10000\n", 0},
    {"gap between", "r:100000:100000\nr:210000:10000\n", "", "",
     "r:100000:100000\nr:210000:10000\nfoo:200000:10000\n", "foo:200000:10000\n", 0},
    {"last fit", "r:100000:599990001\n", "", "", "r:100000:599990001\nfoo:600090001:10000\n",
     "foo:600090001:10000\n", 0},
    {"one id too few", "r:100000:599990002\n", "x\n", "", "r:100000:599990002\n", "x\n", -ENOSPC},
    {"gids decide too", "x\n", "r:109999:600100000\n", "", "x\n", "r:109999:600100000\n", -ENOSPC},
    {"same block on both sides", "r:100000:10000\n", "r:110000:10000\n", "",
     "r:100000:10000\nfoo:120000:10000\n", "r:110000:10000\nfoo:120000:10000\n", 0},
    {"unsorted, with comments", "# a\nr:120000:10000\n# b\nr:100000:10000\n", "", "",
     "# a\nr:120000:10000\n# b\nr:100000:10000\nfoo:110000:10000\n", "foo:110000:10000\n", 0},
    {"below the window", "r:90000:5000\n", "", "", "r:90000:5000\nfoo:100000:10000\n",
     "foo:100000:10000\n", 0},
    {"reaching into the window", "r:90000:10001\n", "", "", "r:90000:10001\nfoo:100001:10000\n",
     "foo:100001:10000\n", 0},
    {"lines that count for nothing", "root::5000\nroot:-1:10000\nroot:100000:-1\nroot:100000:0\n",
     "", "", "root::5000\nroot:-1:10000\nroot:100000:-1\nroot:100000:0\nfoo:100000:10000\n",
     "foo:100000:10000\n", 0},
    {"ids of a user and of a group", "", "", "SUB_UID_MIN 295000\nSUB_GID_MIN\t490001\n",
     "foo:500001:10000\n", "foo:500001:10000\n", 0},
    {"systemd's dynamic users", "", "", "SUB_UID_MIN 55000\nSUB_GID_MIN 55000\n",
     "foo:65536:10000\n", "foo:65536:10000\n", 0},
    {"has enough", "foo:5000:4000\n1500:9000:6000\n", "foo:1:20000\n", "",
     "foo:5000:4000\n1500:9000:6000\n", "foo:1:20000\n", 0},
    {"the same ids twice are not enough", "foo:200000:6000\nfoo:200000:6000\n", "foo:1:10000\n", "",
     "foo:200000:6000\nfoo:200000:6000\nfoo:100000:10000\n", "foo:1:10000\n", 0},
    {"gids mirror the uids", "foo:200000:20000\n", "x\n", "", "foo:200000:20000\n",
     "x\nfoo:200000:20000\n", 0},
    {"no mirror where taken", "foo:200000:20000\n", "r:205000:1\n", "", "foo:200000:20000\n",
     "r:205000:1\nfoo:100000:10000\n", 0},
    {"no newline at the end", "r:100000:10000", "", "", "r:100000:10000\nfoo:110000:10000\n",
     "foo:110000:10000\n", 0},
    {"min above max", "x\n", "x\n", "SUB_UID_MIN 5\nSUB_UID_MAX 4\n", "x\n", "x\n", -ERANGE},
    {"count above the window", "x\n", "x\n", "SUB_GID_MIN 100000\nSUB_GID_MAX 109998\n", "x\n",
     "x\n", -ERANGE},
    {"a range past the maximum counts for nothing", "r:100000:599990001\n# c\nr:600100001:10000\n",
     "", "", "r:100000:599990001\n# c\nr:600100001:10000\nfoo:600090001:10000\n",
     "foo:600090001:10000\n", 0},
    {"one that reaches past it does", "r:100000:599990001\nr:600100000:2\n", "x\n", "",
     "r:100000:599990001\nr:600100000:2\n", "x\n", -ENOSPC},
    {"the maximum is inclusive", "", "", "SUB_UID_MIN 200000\nSUB_UID_MAX 209999\n",
     "foo:200000:10000\n", "foo:200000:10000\n", 0},
    {"the range of another name of his uid is his", "foo2:200000:10000\n", "foo:300001:10000\n", "",
     "foo2:200000:10000\n", "foo:300001:10000\n", 0},
    {"ids of several names add up", "foo2:200000:4000\n1500:5000:6000\n", "foo:1:10000\n", "",
     "foo2:200000:4000\n1500:5000:6000\n", "foo:1:10000\n", 0},
    {"owner by number", "x\n", "", "SUB_UID_STORE_BY_UID yes\n", "x\n1500:100000:10000\n",
     "foo:100000:10000\n", 0},
    {"gid owner by number", "", "", "SUB_GID_STORE_BY_UID YES\nSUB_UID_STORE_BY_UID no\n",
     "foo:100000:10000\n", "1500:100000:10000\n", 0},
    {"a count where the uid decides", "x\n", "x\n", "SUB_GID_DETERMINISTIC yes\n", "x\n", "x\n",
     -EINVAL},
    {"a bad number", "x\n", "x\n", "SUB_UID_MIN many\n", "x\n", "x\n", -EINVAL},
};

START_TEST(places_blocks)
{
    static const char *const foo[] = {"foo", NULL};
    if (cases[_i].uid[0])
        temp_etc_write(&etc, "subuid", cases[_i].uid);
    if (cases[_i].gid[0])
        temp_etc_write(&etc, "subgid", cases[_i].gid);
    if (cases[_i].defs[0])
        temp_etc_write(&etc, "login.defs", cases[_i].defs);
    struct err err = {0};
    int r = add(foo, 10000, NULL, &err);
    ck_assert_msg(r == cases[_i].result, "%s: %d %s", cases[_i].what, r, err.msg);
    temp_etc_expect(&etc, "subuid", cases[_i].uid_after);
    temp_etc_expect(&etc, "subgid", cases[_i].gid_after);
    ck_assert_int_eq(add(foo, 10000, NULL, NULL), cases[_i].result); /* and again: nothing more */
    temp_etc_expect(&etc, "subuid", cases[_i].uid_after);
    temp_etc_expect(&etc, "subgid", cases[_i].gid_after);
}
END_TEST

START_TEST(many_users_get_neighbouring_blocks)
{
    static const char *const all[] = {"bar", "foo", "1502", NULL};
    temp_etc_write(&etc, "login.defs", "# x\nSUB_UID_COUNT 65536\nSUB_GID_COUNT\t 0x10000 # y\n");
    ck_assert_int_eq(add(all, 0, NULL, NULL), 0);
    temp_etc_expect(&etc, "subuid", "bar:100000:65536\nfoo:165536:65536\nbaz:231072:65536\n");
    temp_etc_expect(&etc, "subgid", "bar:100000:65536\nfoo:165536:65536\nbaz:231072:65536\n");
}
END_TEST

static const struct {
    struct subid_range range;
    int result;
    const char *says;
} fixed[] = {
    {{200000, 100}, 0, ""},
    {{199950, 100}, -EEXIST, "the range of bar (199990-199999)"},
    {{299999, 2}, -EEXIST, "user ldap"},
    {{499999, 2}, -EEXIST, "group big"},
    {{61000, 500}, -EEXIST, "dynamic users"},
    {{0, 10}, -EEXIST, "(0-999)"},
    {{400050, 10}, 0, ""}, /* his already */
    {{400090, 20}, -EEXIST, "the range of foo"},
};

START_TEST(exact_ranges)
{
    static const char *const foo[] = {"foo", NULL};
    temp_etc_write(&etc, "subuid", "bar:199990:10\nfoo:400000:100\n");
    temp_etc_write(&etc, "subgid", "foo:400000:100\n");
    struct err err = {0};
    int r = add(foo, fixed[_i].range.count, &fixed[_i].range, &err);
    ck_assert_msg(r == fixed[_i].result, "%d %s", r, err.msg);
    ck_assert_ptr_nonnull(strstr(err.msg, fixed[_i].says));
    if (r < 0 || _i == 6)
        temp_etc_expect(&etc, "subuid", "bar:199990:10\nfoo:400000:100\n");
    else
        temp_etc_expect(&etc, "subuid", "bar:199990:10\nfoo:400000:100\nfoo:200000:100\n");
}
END_TEST

START_TEST(several_exact_ranges)
{
    static const char *const foo[] = {"foo", NULL};
    static const struct subid_range ranges[] = {{200000, 100}, {400000, 1}, {4294967294, 1}};
    struct subid_wish wish = {.exact = true};
    temp_etc_write(&etc, "login.defs", "SUB_UID_COUNT 0\nSUB_UID_MIN 9\nSUB_UID_MAX 8\n");
    temp_etc_write(&etc, "subuid", "foo:399999:9\n"); /* has one of them */
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(serve(foo, &wish, ranges, 3, NULL), 0);
        temp_etc_expect(&etc, "subuid", "foo:399999:9\nfoo:200000:100\nfoo:4294967294:1\n");
        temp_etc_expect(&etc, "subgid", "foo:200000:100\nfoo:400000:1\nfoo:4294967294:1\n");
    }
}
END_TEST

/* Counts of login.defs, with what shadow's formula makes of them. */
static const struct {
    const char *what, *user, *defs, *uid, *gid, *uid_after, *gid_after;
    int result;
    const char *says;
} by_uid[] = {
    {"min = max", "foo",
     "SUB_UID_MIN 100000\nSUB_UID_MAX 100000\nSUB_UID_COUNT 1\nSUB_GID_COUNT 1\n", "x\n", "x\n",
     "x\nfoo:100000:1\n", "x\nfoo:100000:1\n", 0, ""},
    {"min = max, count 2", "foo",
     "SUB_UID_MIN 100000\nSUB_UID_MAX 100000\nSUB_UID_COUNT 2\nSUB_GID_COUNT 1\n", "x\n", "x\n",
     "x\n", "x\n", -ERANGE, "2 ids do not fit"},
    {"count above the window", "foo", "SUB_UID_COUNT 600100000\n", "x\n", "x\n", "x\n", "x\n",
     -ERANGE, "600100000 ids do not fit"},
    {"no ids for anybody", "foo", "SUB_UID_COUNT 0\nSUB_GID_COUNT 0\n", "x\n", "x\n", "x\n", "x\n",
     -EINVAL, "--count"},
    {"the uid decides, with that mode's defaults", "foo",
     "SUB_UID_DETERMINISTIC yes\nSUB_GID_DETERMINISTIC yes\n", "x\n", "x\n",
     "x\nfoo:32833536:65536\n", "x\nfoo:32833536:65536\n", 0, ""},
    {"with a window and another first uid", "foo",
     "SUB_UID_DETERMINISTIC yes\nSUB_GID_DETERMINISTIC yes\nUID_MIN 1498\nSUB_UID_MIN 1000000\n"
     "SUB_UID_COUNT 1000\nSUB_GID_MIN 2000000\nSUB_GID_COUNT 10\n",
     "x\n", "x\n", "x\nfoo:1002000:1000\n", "x\nfoo:2000020:10\n", 0, ""},
    {"for uids only", "foo",
     "SUB_UID_DETERMINISTIC yes\nUID_MIN 1500\nSUB_UID_MIN 1000000\nSUB_UID_COUNT 10\n"
     "SUB_GID_COUNT 20\n",
     "x\n", "bar:100000:5\n", "x\nfoo:1000000:10\n", "bar:100000:5\nfoo:100005:20\n", 0, ""},
    {"the last block", "foo",
     "SUB_UID_DETERMINISTIC yes\nSUB_GID_DETERMINISTIC yes\nUID_MIN 1499\nSUB_UID_MIN 100000\n"
     "SUB_UID_MAX 100019\nSUB_UID_COUNT 10\nSUB_GID_MIN 100000\nSUB_GID_COUNT 10\n",
     "x\n", "x\n", "x\nfoo:100010:10\n", "x\nfoo:100010:10\n", 0, ""},
    {"past it", "foo",
     "SUB_UID_DETERMINISTIC yes\nUID_MIN 1499\nSUB_UID_MIN 100000\nSUB_UID_MAX 100018\n"
     "SUB_UID_COUNT 10\n",
     "x\n", "x\n", "x\n", "x\n", -ERANGE, "foo: uid 1500 has no block of 10 ids"},
    {"never wrapped", "ldap", "SUB_UID_DETERMINISTIC yes\nUNSAFE_SUB_UID_DETERMINISTIC_WRAP yes\n",
     "x\n", "x\n", "x\n", "x\n", -ERANGE, "WRAP"},
    {"below the first uid", "foo", "SUB_UID_DETERMINISTIC yes\nUID_MIN 1501\n", "x\n", "x\n", "x\n",
     "x\n", -ERANGE, "below UID_MIN (1501)"},
    {"the end of shadow's window is no id", "foo",
     "SUB_UID_DETERMINISTIC yes\nSUB_GID_DETERMINISTIC yes\nUID_MIN 1500\nSUB_UID_MAX 4294967295\n"
     "SUB_UID_MIN 4294967285\nSUB_UID_COUNT 10\nSUB_GID_COUNT 1\n",
     "x\n", "x\n", "x\nfoo:4294967285:10\n", "x\nfoo:65536:1\n", 0, ""},
    {"a block of another", "foo", "SUB_UID_DETERMINISTIC yes\n", "bar:32899071:1\n", "x\n",
     "bar:32899071:1\n", "x\n", -EEXIST, "the range of bar"},
    {"a block with a user's id", "foo",
     "SUB_UID_DETERMINISTIC yes\nUID_MIN 1500\nSUB_UID_MIN 299999\nSUB_UID_COUNT 2\n", "x\n", "x\n",
     "x\n", "x\n", -EEXIST, "the id of user ldap"},
    {"drift", "foo", "SUB_UID_DETERMINISTIC yes\n", "foo:100000:65536\n", "x\n",
     "foo:100000:65536\n", "x\n", -EEXIST, "foo has drifted: /etc/subuid has 100000-165535"},
    {"another name's drift", "foo", "SUB_GID_DETERMINISTIC yes\n", "x\n", "foo2:9:65536\n", "x\n",
     "foo2:9:65536\n", -EEXIST, "foo has drifted: /etc/subgid has 9-65544"},
    {"has it, in two parts, and more", "foo",
     "SUB_UID_DETERMINISTIC yes\nSUB_GID_DETERMINISTIC yes\nSUB_GID_COUNT 1\n",
     "1500:32833536:65535\nfoo2:32899071:1\nfoo:7:7\n", "foo:66036:1\n",
     "1500:32833536:65535\nfoo2:32899071:1\nfoo:7:7\n", "foo:66036:1\n", 0, ""},
    {"a name of digits, by number", "12", "SUB_UID_STORE_BY_UID yes\nSUB_GID_STORE_BY_UID yes\n",
     "x\n", "x\n", "x\n1600:100000:65536\n", "x\n1600:100000:65536\n", 0, ""},
};

START_TEST(login_defs_decides)
{
    const char *const users[] = {by_uid[_i].user, NULL};
    struct subid_wish wish = {0};
    temp_etc_write(&etc, "login.defs", by_uid[_i].defs);
    temp_etc_write(&etc, "subuid", by_uid[_i].uid);
    temp_etc_write(&etc, "subgid", by_uid[_i].gid);
    for (int i = 0; i < 2; i++) { /* and again: nothing more */
        struct err err = {0};
        int r = serve(users, &wish, NULL, 0, &err);
        ck_assert_msg(r == by_uid[_i].result, "%s: %d %s", by_uid[_i].what, r, err.msg);
        ck_assert_msg(strstr(err.msg, by_uid[_i].says), "%s: %s", by_uid[_i].what, err.msg);
        temp_etc_expect(&etc, "subuid", by_uid[_i].uid_after);
        temp_etc_expect(&etc, "subgid", by_uid[_i].gid_after);
    }
}
END_TEST

START_TEST(deterministic_by_wish)
{
    static const char *const both[] = {"foo", "bar", NULL};
    struct subid_wish wish = {.deterministic = true};
    temp_etc_write(&etc, "login.defs", "SUB_UID_MAX 600100000\n");
    ck_assert_int_eq(serve(both, &wish, NULL, 0, NULL), 0);
    temp_etc_expect(&etc, "subuid", "foo:32833536:65536\nbar:32899072:65536\n");
    temp_etc_expect(&etc, "subgid", "foo:32833536:65536\nbar:32899072:65536\n");
}
END_TEST

START_TEST(all_users_or_none)
{
    static const char *const with_unknown[] = {"foo", "nobody-there", NULL};
    static const char *const with_digits[] = {"foo", "12", NULL};
    struct err err = {0};
    temp_etc_write(&etc, "subuid", "x\n");
    temp_etc_write(&etc, "subgid", "y\n");
    ck_assert_int_eq(add(with_unknown, 0, NULL, &err), -ENOENT);
    ck_assert_ptr_nonnull(strstr(err.msg, "nobody-there"));
    ck_assert_int_eq(add(with_digits, 0, NULL, &err), -EINVAL);
    temp_etc_expect(&etc, "subuid", "x\n");
    temp_etc_expect(&etc, "subgid", "y\n");
}
END_TEST

START_TEST(backup_mode_and_no_leftovers)
{
    static const char *const foo[] = {"foo", NULL};
    struct stat st;
    temp_etc_write(&etc, "subuid", "x\n");
    temp_etc_write(&etc, "subgid", "foo:1:65536\n");
    ck_assert_int_eq(fchmodat(etc.fd, "subuid", 0640, 0), 0);
    ck_assert_int_eq(add(foo, 0, NULL, NULL), 0);
    temp_etc_expect(&etc, "subuid-", "x\n");
    ck_assert_int_eq(fstatat(etc.fd, "subuid", &st, 0), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0640);
    ck_assert_int_eq(fstatat(etc.fd, "subgid-", &st, 0), -1); /* did not change */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("subid_provision");
    TCase *space = tcase_create("space");
    tcase_add_loop_test(space, fit_is_the_lowest_gap, 0, 200);
    tcase_add_loop_test(space, hit_is_the_same_sorted_and_unsorted, 0, 20);
    tcase_add_test(space, fit_at_the_ends_of_the_world);
    suite_add_tcase(suite, space);
    TCase *tree = tcase_create("tree");
    tcase_add_checked_fixture(tree, make_etc, remove_etc);
    tcase_add_loop_test(tree, places_blocks, 0, sizeof cases / sizeof cases[0]);
    tcase_add_test(tree, many_users_get_neighbouring_blocks);
    tcase_add_loop_test(tree, exact_ranges, 0, sizeof fixed / sizeof fixed[0]);
    tcase_add_test(tree, several_exact_ranges);
    tcase_add_loop_test(tree, login_defs_decides, 0, sizeof by_uid / sizeof by_uid[0]);
    tcase_add_test(tree, deterministic_by_wish);
    tcase_add_test(tree, all_users_or_none);
    tcase_add_test(tree, backup_mode_and_no_leftovers);
    suite_add_tcase(suite, tree);
    return tap_run(suite);
}
