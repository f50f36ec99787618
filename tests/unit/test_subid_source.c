#include "tests/unit/tap.h"

#include <errno.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/subid/source.h"
#include "tests/unit/temp_etc.h"

/* The plug-ins of tests/plugins; the program's run path leads to them. */
static const char *const good[] = {"rltest", "rltestold"};

static struct subid_plugin plugin;
static struct err err;

/* ---- plug-ins ---- */

static void open_plugin(const char *name)
{
    ck_assert_msg(subid_plugin_open(&plugin, name, &err) == 0, "%s", err.msg);
}

START_TEST(plugin_covers)
{
    static const struct {
        const char *owner;
        enum subid_kind kind;
        struct subid_range range;
        int r;
    } rows[] = {
        {"ok", SUBID_UID, {200000, 1000}, 1},    {"ok", SUBID_UID, {200001, 1000}, 0},
        {"ok", SUBID_GID, {200000, 1000}, 0},    {"ok", SUBID_GID, {300999, 1}, 1},
        {"unknown", SUBID_UID, {200000, 1}, 0},  {"conn", SUBID_UID, {200000, 1}, -EHOSTDOWN},
        {"error", SUBID_UID, {200000, 1}, -EIO}, {"nonsense", SUBID_UID, {200000, 1}, -EIO},
        {"seven", SUBID_UID, {200000, 1}, 0},
    };
    open_plugin(good[_i]);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ck_assert_msg(subid_plugin_covers(&plugin, rows[i].kind, rows[i].owner, rows[i].range,
                                          &err) == rows[i].r,
                      "row %zu (%s)", i, rows[i].owner);
    subid_plugin_close(&plugin);
}
END_TEST

START_TEST(plugin_ranges)
{
    static const struct {
        const char *owner;
        int r;
        const char *says;
    } rows[] = {
        {"ok", 2, NULL},
        {"last", 2, NULL}, /* ends below 2^32 - 1, the highest that an id map takes */
        {"hole", 1, NULL},
        {"none", 0, NULL},
        {"unknown", -ENOENT, "does not know the user"},
        {"conn", -EHOSTDOWN, "is its service running"},
        {"error", -EIO, "reports an error"},
        {"nonsense", -EIO, "status 17"},
        {"negative", -EIO, "-1 items"},
        {"many", -EIO, "2147483647 items"},
        {"null", -EIO, "no list"},
        {"overflow", -EIO, "2 ids from 18446744073709551615"},
        {"beyond", -EIO, "1 ids from 4294967295"},
    };
    open_plugin(good[_i]);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cleanup_free struct subid_range *ranges = (struct subid_range *)&err;
        int r = subid_plugin_ranges(&plugin, SUBID_GID, rows[i].owner, &ranges, &err);
        ck_assert_msg(r == rows[i].r, "%s: %d", rows[i].owner, r);
        ck_assert_int_eq(ranges != NULL, r > 0);
        if (r > 0) {
            ck_assert_uint_eq(ranges[0].start, 300000);
            ck_assert_uint_eq(ranges[0].count, 1000);
        }
        if (rows[i].says)
            ck_assert_msg(strstr(err.msg, rows[i].says) != NULL, "%s", err.msg);
    }
    subid_plugin_close(&plugin);
}
END_TEST

START_TEST(plugin_owners)
{
    cleanup_free uid_t *uids = NULL;
    open_plugin(good[_i]);
    ck_assert_int_eq(subid_plugin_owners(&plugin, SUBID_UID, 200000, &uids, &err), 2);
    ck_assert_uint_eq(uids[1], 1501);
    uid_t *none = uids;
    ck_assert_int_eq(subid_plugin_owners(&plugin, SUBID_UID, 7, &none, &err), -EIO);
    ck_assert_ptr_null(none);
    ck_assert_int_eq(subid_plugin_owners(&plugin, SUBID_UID, 900001, &none, &err), 0);
    ck_assert_int_eq(subid_plugin_owners(&plugin, SUBID_UID, 900002, &none, &err), -EHOSTDOWN);
    ck_assert_int_eq(subid_plugin_owners(&plugin, SUBID_UID, 900003, &none, &err), -EIO);
    subid_plugin_close(&plugin);
}
END_TEST

START_TEST(plugin_refused)
{
    static const struct {
        const char *name, *says;
    } rows[] = {
        {"rltestmissing", "libsubid_rltestmissing.so"},
        {"rltestlame", "shadow_subid_find_subid_owners"},
        {"../rltest", "cannot be the name"},
        {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "cannot be the name"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ck_assert_int_eq(subid_plugin_open(&plugin, rows[i].name, &err), -ENOENT);
        ck_assert_msg(strstr(err.msg, rows[i].says) != NULL, "%s", err.msg);
        ck_assert_ptr_null(plugin.handle);
    }
}
END_TEST

/* ---- files or plug-in ---- */

static struct temp_etc etc;
static struct subid_place place;
static struct subid_source source;

static void make_etc(void)
{
    temp_etc_make(&etc);
    place = (struct subid_place){.etc_fd = etc.fd, .live = true};
}

static void remove_etc(void)
{
    static const char *const names[] = {"subuid", "subgid", "passwd", "nsswitch.conf", NULL};
    subid_source_close(&source);
    temp_etc_remove(&etc, names);
}

static void open_source(void)
{
    ck_assert_msg(subid_source_open(&source, &place, &err) == 0, "%s", err.msg);
}

/* "start:count start:count" of a user, in the order found */
static const char *ranges_of(enum subid_kind kind, const char *user)
{
    static char text[256];
    cleanup_free struct subid_range *ranges = NULL;
    int n = subid_source_ranges(&source, kind, user, &ranges, &err);
    int len = snprintf(text, sizeof text, "%s", n < 0 ? "error" : "");
    for (int i = 0; i < n; i++)
        len += snprintf(text + len, sizeof text - (size_t)len, "%s%u:%u", i ? " " : "",
                        ranges[i].start, ranges[i].count);
    return text;
}

START_TEST(files_by_name_uid_and_alias)
{
    /* only root is sure to exist here */
    temp_etc_write(&etc, "passwd",
                   "root:x:0:0::/:/bin/sh\nbroken\n:x:0:\ntoor:x:0:0::/:/bin/sh\nrooot:x:00:0\n"
                   "other:x:1:0::/:/bin/sh");
    temp_etc_write(&etc, "subuid",
                   "other:1:1\nroot:100:10\ngone:2:2\n0:200:10\nroo:3:3\n\ntoor:300:0x10\n"
                   "root:400\n00:500:10\n:6:6\nrooot:600:10\nroot:700:10");
    open_source();
    const char *wanted = "100:10 200:10 300:16 500:10 600:10 700:10";
    ck_assert_str_eq(ranges_of(SUBID_UID, "root"), wanted);
    ck_assert_str_eq(ranges_of(SUBID_UID, "0"), wanted);
    ck_assert_str_eq(ranges_of(SUBID_UID, "rltest-nobody-has-it"), "");
    ck_assert_str_eq(ranges_of(SUBID_UID, "gone"), "");
    ck_assert_str_eq(ranges_of(SUBID_UID, ""), "");
    ck_assert_str_eq(ranges_of(SUBID_GID, "root"), "error"); /* no file */
    ck_assert_str_eq(subid_source_where(&source, SUBID_GID), "/etc/subgid");
}
END_TEST

START_TEST(files_of_a_uid_without_name)
{
    temp_etc_write(&etc, "subuid", "4000000001:100:10\nroot:5:5\n");
    open_source();
    ck_assert_str_eq(ranges_of(SUBID_UID, "4000000001"), "100:10");
}
END_TEST

START_TEST(files_owners)
{
    cleanup_free uid_t *uids = NULL;
    uid_t *none = NULL;
    temp_etc_write(&etc, "subuid",
                   "rltest-gone:100:10\nroot:100:10\n4242:105:1\n0:100:10\n4243:106:1\n");
    open_source();
    ck_assert_int_eq(subid_source_owners(&source, SUBID_UID, 105, &uids, &err), 2);
    ck_assert_uint_eq(uids[0], 0);
    ck_assert_uint_eq(uids[1], 4242);
    ck_assert_int_eq(subid_source_owners(&source, SUBID_UID, 110, &none, &err), 0);
    ck_assert_ptr_null(none);
    ck_assert_int_eq(subid_source_owners(&source, SUBID_GID, 110, &none, &err), -ENOENT);
}
END_TEST

START_TEST(plugin_instead_of_files)
{
    temp_etc_write(&etc, "nsswitch.conf", "passwd: files\nsubid: rltest files\n");
    temp_etc_write(&etc, "subuid", "root:5:5\n");
    open_source();
    ck_assert_str_eq(ranges_of(SUBID_UID, "root"), "200000:1000 400000:65536");
    ck_assert_str_eq(ranges_of(SUBID_UID, "0"), "200000:1000 400000:65536");
    ck_assert_str_eq(ranges_of(SUBID_UID, "conn"), "error");
    ck_assert_ptr_nonnull(strstr(subid_source_where(&source, SUBID_UID), "rltest"));
}
END_TEST

START_TEST(broken_plugin_is_no_reason_for_the_files)
{
    static const char *const lines[] = {"subid: rltestmissing\n", "subid: rltestlame\n",
                                        "subid: a/b\n"};
    temp_etc_write(&etc, "nsswitch.conf", lines[_i]);
    temp_etc_write(&etc, "subuid", "root:5:5\n");
    ck_assert_int_lt(subid_source_open(&source, &place, &err), 0);
    ck_assert_ptr_nonnull(strstr(err.msg, "subid"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("subid_source");
    TCase *plugins = tcase_create("plugin");
    tcase_add_loop_test(plugins, plugin_covers, 0, 2);
    tcase_add_loop_test(plugins, plugin_ranges, 0, 2);
    tcase_add_loop_test(plugins, plugin_owners, 0, 2);
    tcase_add_test(plugins, plugin_refused);
    suite_add_tcase(suite, plugins);
    TCase *sources = tcase_create("source");
    tcase_add_checked_fixture(sources, make_etc, remove_etc);
    tcase_add_test(sources, files_by_name_uid_and_alias);
    tcase_add_test(sources, files_of_a_uid_without_name);
    tcase_add_test(sources, files_owners);
    tcase_add_test(sources, plugin_instead_of_files);
    tcase_add_loop_test(sources, broken_plugin_is_no_reason_for_the_files, 0, 3);
    suite_add_tcase(suite, sources);
    return tap_run(suite);
}
