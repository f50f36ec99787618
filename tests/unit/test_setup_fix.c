/* The record of fix: what is written is read the same, and what is no record is refused whole; and
 * that every recipe belongs to a check. */
#include "tests/unit/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/file.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "rootless-setup/check/probe.h"
#include "rootless-setup/fix/place.h"
#include "rootless-setup/fix/recipe.h"
#include "rootless-setup/fix/record.h"

#define LENGTH(a) (sizeof(a) / sizeof(a)[0])

static char dir[] = "/tmp/test-fix-XXXXXX";
static struct place place;
static struct record record;

static void set_up(void)
{
    (void)str_copy(dir, sizeof dir, "/tmp/test-fix-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(place_open(dir, &place, NULL), 0);
}

static void tear_down(void)
{
    const char *const argv[] = {"rm", "-r", dir, NULL};
    record_close(&record);
    place_close(&place);
    char said[64];
    ck_assert_int_eq(proc_run(argv, said, sizeof said, NULL), 0);
}

static struct place_file content(const char *data, size_t len, mode_t mode)
{
    struct place_file file = {
        .data = malloc(len + 1), .len = len, .mode = mode, .uid = 7, .gid = 8};
    ck_assert_ptr_nonnull(file.data);
    (void)memcpy(file.data, data, len);
    file.data[len] = '\0';
    return file;
}

START_TEST(what_is_recorded_is_read_again)
{
    static const char bytes[] = "\xff\0 and \x01";
    struct change file = {.kind = CHANGE_FILE,
                          .check = "net.ping",
                          .target = "/etc/sysctl.d/x.conf",
                          .dirs = 3,
                          .reload = RELOAD_UDEV,
                          .before = content(bytes, sizeof bytes, 0640),
                          .after = content("a\0b\n", 4, 0644)};
    struct change value = {.kind = CHANGE_SYSCTL,
                           .check = "net.ping",
                           .target = "net.ipv4.x",
                           .old = "1 0",
                           .wanted = "0 5"};
    ck_assert_int_eq(record_open(&place, true, &record, NULL), 0);
    ck_assert_uint_eq(record.n, 0);
    record.unfinished = true;
    ck_assert_int_eq(record_add(&record, &file, NULL), 0);
    ck_assert_ptr_null(file.after.data);
    ck_assert_int_eq(record_add(&record, &value, NULL), 0);
    record_close(&record);
    ck_assert_int_eq(record_open(&place, false, &record, NULL), 0);
    ck_assert_uint_eq(record.n, 2);
    ck_assert(record.unfinished);
    const struct change *read = record_find(&record, CHANGE_FILE, "/etc/sysctl.d/x.conf");
    ck_assert_ptr_nonnull(read);
    ck_assert(place_file_same(&read->before, bytes, sizeof bytes));
    ck_assert(place_file_same(&read->after, "a\0b\n", 4));
    ck_assert_uint_eq(read->before.mode, 0640);
    ck_assert_uint_eq(read->before.uid, 7);
    ck_assert_uint_eq(read->before.gid, 8);
    ck_assert_uint_eq(read->dirs, 3);
    ck_assert_int_eq(read->reload, RELOAD_UDEV);
    read = record_find(&record, CHANGE_SYSCTL, "net.ipv4.x");
    ck_assert_str_eq(read->old, "1 0");
    ck_assert_str_eq(read->wanted, "0 5");
    ck_assert_ptr_null(record_find(&record, CHANGE_MODE, "net.ipv4.x"));
}
END_TEST

START_TEST(made_directories_go_with_the_last_file)
{
    struct change one = {
        .kind = CHANGE_FILE, .target = "/etc/a.d/one", .dirs = 1, .after = content("", 0, 0644)};
    struct change other = {
        .kind = CHANGE_FILE, .target = "/etc/a.d/two", .after = content("", 0, 0644)};
    ck_assert_int_eq(record_open(&place, true, &record, NULL), 0);
    ck_assert_int_eq(record_add(&record, &one, NULL), 0);
    ck_assert_int_eq(record_add(&record, &other, NULL), 0);
    record_drop(&record, 0);
    ck_assert_uint_eq(record.n, 1);
    ck_assert_uint_eq(record.changes[0].dirs, 1);
    record_drop(&record, 0);
    ck_assert_int_eq(record_save(&record, NULL), 0);
    ck_assert_int_lt(faccessat(record.dir_fd, "record", F_OK, 0), 0);
}
END_TEST

#define FILE_OF(target, before, after, more)                                                     \
    "{\"schema\": 1, \"changes\": [{\"kind\": \"file\", \"check\": \"x\", \"target\": \"" target \
    "\", \"before\": " before ", \"after\": " after ", " more "}]}"
#define FILE_ENTRY(before, after, more) FILE_OF("/x", before, after, more)
#define TEXT "{\"text\": \"\", \"mode\": 1, \"uid\": 0, \"gid\": 0}"

static const char *const damaged[] = {
    "",
    "{",
    "[]",
    "{}",
    "{\"schema\": 2, \"changes\": []}",
    "{\"schema\": 1, \"changes\": {}}",
    "{\"schema\": 1, \"changes\": [1]}",
    "{\"schema\": 1, \"changes\": [{\"kind\": \"door\", \"check\": \"\", \"target\": \"x\"}]}",
    "{\"schema\": 1, \"changes\": [{\"kind\": \"mode\", \"check\": \"\", \"target\": \"\", "
    "\"before\": \"\", \"after\": \"\"}]}",
    "{\"schema\": 1, \"changes\": [{\"kind\": \"mode\", \"check\": \"\", \"target\": "
    "\"a\\u0000b\", "
    "\"before\": \"\", \"after\": \"\"}]}",
    FILE_ENTRY("null", "null", "\"dirs\": 0, \"reload\": \"none\""),
    FILE_ENTRY("null", TEXT, "\"dirs\": -1, \"reload\": \"none\""),
    FILE_ENTRY("null", TEXT, "\"dirs\": 17, \"reload\": \"none\""),
    FILE_ENTRY("null", TEXT, "\"dirs\": 0, \"reload\": \"boot\""),
    FILE_ENTRY("{\"hex\": \"0\", \"mode\": 1, \"uid\": 0, \"gid\": 0}", TEXT,
               "\"dirs\": 0, \"reload\": \"none\""),
    FILE_ENTRY("{\"hex\": \"0G\", \"mode\": 1, \"uid\": 0, \"gid\": 0}", TEXT,
               "\"dirs\": 0, \"reload\": \"none\""),
    FILE_ENTRY("{\"text\": \"\", \"mode\": 2541, \"uid\": 0, \"gid\": 0}", TEXT,
               "\"dirs\": 0, \"reload\": \"none\""),
    FILE_ENTRY("{\"text\": \"\", \"mode\": 1, \"uid\": -1, \"gid\": 0}", TEXT,
               "\"dirs\": 0, \"reload\": \"none\""),
    FILE_OF("/a/../../x", "null", TEXT, "\"dirs\": 0, \"reload\": \"none\""),
    FILE_OF("/a/./x", "null", TEXT, "\"dirs\": 0, \"reload\": \"none\""),
    FILE_OF("/..", "null", TEXT, "\"dirs\": 0, \"reload\": \"none\""),
    FILE_OF("/a/", "null", TEXT, "\"dirs\": 0, \"reload\": \"none\""),
};

START_TEST(what_is_no_record_is_refused)
{
    struct err err = {0};
    int r = record_parse(damaged[_i], strlen(damaged[_i]), &record, &err);
    ck_assert_msg(r == -EBADMSG, "%s", damaged[_i]);
    ck_assert_uint_eq(record.n, 0);
    ck_assert_ptr_nonnull(strstr(err.msg, "is damaged"));
}
END_TEST

START_TEST(an_entry_that_is_whole_is_read)
{
    static const char whole[] = FILE_ENTRY("null", TEXT, "\"dirs\": 0, \"reload\": \"none\"");
    ck_assert_int_eq(record_parse(whole, strlen(whole), &record, NULL), 0);
    ck_assert_uint_eq(record.n, 1);
}
END_TEST

START_TEST(a_record_is_a_file_of_the_image)
{
    char path[sizeof dir + 64];
    ck_assert_int_eq(record_open(&place, true, &record, NULL), 0);
    record_close(&record);
    (void)str_format(path, sizeof path, "%s/var/lib/rootless-toolkit/fix/record", dir);
    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    ck_assert_int_eq(record_open(&place, false, &record, NULL), -ELOOP);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(record_open(&place, false, &record, NULL), -EISDIR);
}
END_TEST

START_TEST(every_recipe_belongs_to_a_check)
{
    ck_assert_int_ge(check_probe_index(fix_recipes[_i].check), 0);
    ck_assert_ptr_nonnull(fix_recipes[_i].steps[0].name);
    ck_assert_ptr_eq(fix_recipe_find(fix_recipes[_i].check), &fix_recipes[_i]);
}
END_TEST

START_TEST(files_come_and_go_with_their_directories)
{
    cleanup_place_file struct place_file file = content("x", 1, 0600), read = {0};
    file.uid = getuid();
    file.gid = getgid();
    ck_assert_int_eq(place_missing_dirs(&place, "/etc/a/b/file"), 3);
    ck_assert_int_eq(place_read(&place, "/etc/a/b/file", &read, NULL), 0);
    ck_assert_ptr_null(read.data);
    ck_assert_int_eq(place_write(&place, "/etc/a/b/file", &file, NULL), 0);
    ck_assert_int_eq(place_missing_dirs(&place, "/etc/a/b/file"), 0);
    ck_assert_int_eq(place_read(&place, "/etc/a/b/file", &read, NULL), 0);
    ck_assert(place_file_same(&read, "x", 1));
    ck_assert_uint_eq(read.mode, 0600);
    ck_assert_int_eq(place_remove(&place, "/etc/a/b/file", 2, NULL), 0);
    ck_assert_int_eq(place_missing_dirs(&place, "/etc/a/b/file"), 2);
    ck_assert(place_has(&place, "/etc"));
    ck_assert_int_eq(place_remove(&place, "/etc/a/b/file", 3, NULL), 0);
    ck_assert(!place_has(&place, "/etc"));
}
END_TEST

START_TEST(no_directory_is_made_outside)
{
    char path[sizeof dir + 64], outside[sizeof dir + 64];
    cleanup_place_file struct place_file file = content("x", 1, 0600);
    file.uid = getuid();
    file.gid = getgid();
    const char *name = strrchr(dir, '/') + 1;
    (void)str_format(outside, sizeof outside, "%s-out", dir);
    (void)str_format(path, sizeof path, "/missing/../../%s-out/file", name);
    struct err err = {0};
    int r = place_write(&place, path, &file, &err);
    bool escaped = access(outside, F_OK) == 0;
    if (escaped) {
        (void)str_format(path, sizeof path, "%s/file", outside);
        (void)unlink(path);
        (void)rmdir(outside);
    }
    ck_assert(!escaped);
    ck_assert_int_eq(r, -EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("setup-fix");
    TCase *cases = tcase_create("setup-fix");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, what_is_recorded_is_read_again);
    tcase_add_test(cases, made_directories_go_with_the_last_file);
    tcase_add_loop_test(cases, what_is_no_record_is_refused, 0, LENGTH(damaged));
    tcase_add_test(cases, an_entry_that_is_whole_is_read);
    tcase_add_test(cases, a_record_is_a_file_of_the_image);
    tcase_add_loop_test(cases, every_recipe_belongs_to_a_check, 0, (int)fix_recipes_count);
    tcase_add_test(cases, files_come_and_go_with_their_directories);
    tcase_add_test(cases, no_directory_is_made_outside);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
