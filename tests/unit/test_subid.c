#include "tests/unit/tap.h"

#include <errno.h>
#include <stdint.h>
#include <sys/stat.h>

#include "lib/base/err.h"
#include "lib/subid/line.h"
#include "lib/subid/nsswitch.h"
#include "lib/subid/subid.h"
#include "tests/unit/temp_etc.h"

static const struct {
    const char *text;
    bool taken;
    uint32_t start, count;
} lines[] = {
    {"alice:100000:65536", true, 100000, 65536},
    {"1000:100000:65536", true, 100000, 65536},
    {"alice: 100000:+65536", true, 100000, 65536},
    {"alice:0x186a0:0200000", true, 100000, 65536},
    {"alice:0:1", true, 0, 1},
    {"alice:0:4294967295", true, 0, UINT32_MAX},
    {"alice:4294967294:1", true, UINT32_MAX - 1, 1},
    {"alice:4294967295:1", false, 0, 0},
    {"alice:1:4294967295", false, 0, 0},
    {"alice:0:4294967296", false, 0, 0},
    {"alice:18446744073709551616:1", false, 0, 0},
    {"alice:100000:0", false, 0, 0},
    {"alice:100000:-1", false, 0, 0},
    {"alice:-1:65536", false, 0, 0},
    {"alice:100000:65536\r", false, 0, 0},
    {"alice:100000:65536 ", false, 0, 0},
    {"alice:100000:65536:", false, 0, 0},
    {"alice:100000:65536:x", false, 0, 0},
    {"alice:100000a:65536", false, 0, 0},
    {"alice:08:65536", false, 0, 0},
    {"alice:0x:65536", false, 0, 0},
    {"alice::65536", false, 0, 0},
    {"alice:100000:", false, 0, 0},
    {"alice:100000", false, 0, 0},
    {":100000:65536", false, 0, 0},
    {"+alice:100000:65536", false, 0, 0},
    {"-alice:100000:65536", false, 0, 0},
    {"# comment", false, 0, 0},
    {"", false, 0, 0},
};

START_TEST(line_as_shadow_reads_it)
{
    struct subid_line line = {0};
    ck_assert_int_eq(subid_line_parse(lines[_i].text, strlen(lines[_i].text), &line),
                     lines[_i].taken);
    ck_assert_uint_eq(line.start, lines[_i].start);
    ck_assert_uint_eq(line.count, lines[_i].count);
}
END_TEST

START_TEST(line_too_long_or_with_nul)
{
    struct subid_line line;
    char text[SUBID_LINE_MAX + 1];
    memset(text, 'a', sizeof text);
    memcpy(text + SUBID_LINE_MAX - 4, ":1:1", 4);
    ck_assert(!subid_line_parse(text, SUBID_LINE_MAX, &line));
    ck_assert(subid_line_parse(text + 1, SUBID_LINE_MAX - 1, &line));
    ck_assert(!subid_line_parse("a\0b:1:1", 7, &line));
}
END_TEST

/* ---- files ---- */

static struct temp_etc etc;

static void make_etc(void)
{
    temp_etc_make(&etc);
}

static void remove_etc(void)
{
    temp_etc_remove(&etc, (const char *[]){"subuid", "subgid", "elsewhere", "nsswitch.conf", NULL});
}

static int ranges_of(const char *owner, uid_t uid, struct subid_range ret[8])
{
    struct err err = {0};
    return subid_ranges(etc.fd, SUBID_UID, owner, uid, ret, 8, &err);
}

START_TEST(name_and_number_match)
{
    struct subid_range found[8];
    temp_etc_write(&etc, "subuid",
                   "# all of it\nalice:100000:10\nalicea:1:1\nalic:2:1\n1500:300000:20\n"
                   "01500:400000:30\n15000:3:1\n150:4:1\nALICE:5:1\nalice:x:1\n\nalice:200000:40");
    ck_assert_int_eq(ranges_of("alice", 1500, found), 4);
    ck_assert_uint_eq(found[0].start, 100000);
    ck_assert_uint_eq(found[1].start, 300000);
    ck_assert_uint_eq(found[2].start, 400000);
    ck_assert_uint_eq(found[3].start, 200000); /* without newline at the end */
    ck_assert_uint_eq(found[3].count, 40);
    ck_assert_int_eq(ranges_of(NULL, 1500, found), 2);
    ck_assert_int_eq(ranges_of("nobody", 7, found), 0);
    ck_assert_int_eq(ranges_of("", 7, found), 0);
    ck_assert_int_eq(ranges_of("alice:100000", 7, found), 0);
}
END_TEST

START_TEST(no_more_than_there_is_room)
{
    struct subid_range found[2] = {{0}, {.start = 77}};
    temp_etc_write(&etc, "subuid", "a:1:1\na:2:1\na:3:1\n");
    ck_assert_int_eq(subid_ranges(etc.fd, SUBID_UID, "a", 9, found, 1, NULL), 1);
    ck_assert_uint_eq(found[1].start, 77);
}
END_TEST

/* Lines around and beyond the size of the reader's buffer; none may hide the next. */
START_TEST(very_long_lines_are_skipped)
{
    static const size_t lengths[] = {1022, 1023, 1024, 65534, 65535, 65536, 65537, 131072, 200001};
    size_t len = lengths[_i];
    char *text = malloc(len + 64);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', len);
    (void)snprintf(text + len, 64, "\nalice:100000:10\n");
    temp_etc_write(&etc, "subuid", text);
    free(text);
    struct subid_range found[8];
    ck_assert_int_eq(ranges_of("alice", 1500, found), 1);
}
END_TEST

START_TEST(many_lines)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    for (unsigned i = 0; i < 20000; i++)
        (void)fprintf(out, "user%u:%u:1000\n", i, 100000 + i * 1000);
    (void)fclose(out);
    temp_etc_write(&etc, "subuid", text);
    free(text);
    struct subid_range found[8];
    for (unsigned i = 0; i < 20000; i += 1999) {
        char name[16];
        (void)snprintf(name, sizeof name, "user%u", i);
        ck_assert_int_eq(ranges_of(name, 1500, found), 1);
        ck_assert_uint_eq(found[0].start, 100000 + i * 1000);
    }
}
END_TEST

START_TEST(refuses_what_is_no_file)
{
    struct subid_range found[8];
    ck_assert_int_eq(ranges_of("alice", 1500, found), -ENOENT);
    temp_etc_write(&etc, "elsewhere", "alice:100000:10\n");
    ck_assert_int_eq(symlinkat("elsewhere", etc.fd, "subuid"), 0);
    ck_assert_int_eq(ranges_of("alice", 1500, found), -ELOOP);
    ck_assert_int_eq(unlinkat(etc.fd, "subuid", 0), 0);
    ck_assert_int_eq(mkfifoat(etc.fd, "subuid", 0600), 0);
    ck_assert_int_eq(ranges_of("alice", 1500, found), -EINVAL);
}
END_TEST

static const struct {
    const char *text;
    bool good;
    const char *source;
} nsswitches[] = {
    {"", true, ""},
    {"passwd: files sss\n", true, ""},
    {"subid: sss\n", true, "sss"},
    {"subid:sss", true, "sss"},
    {"SubID:\t sss files\n", true, "sss"},
    {"subid: files sss\n", true, ""},
    {"subid: FILES\n", true, ""},
    {"subid:\nsubid:   \nsubid: one\nsubid: two\n", true, "one"},
    {" subid: sss\n#subid: sss\nsubids: sss\nsubid\n", true, ""},
    {"subid: ../evil\n", false, "../evil"},
    {"subid: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", true,
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
    {"subid: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\n", false,
     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
};

START_TEST(nsswitch_names_the_source)
{
    char found[SUBID_SOURCE_MAX];
    ck_assert_int_eq(subid_source_read(etc.fd, found, NULL), 0);
    ck_assert_str_eq(found, "");
    temp_etc_write(&etc, "nsswitch.conf", nsswitches[_i].text);
    ck_assert_int_eq(subid_source_read(etc.fd, found, NULL), nsswitches[_i].good ? 0 : -EINVAL);
    ck_assert_str_eq(found, nsswitches[_i].source);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("subid");
    TCase *line = tcase_create("line");
    tcase_add_loop_test(line, line_as_shadow_reads_it, 0, sizeof lines / sizeof lines[0]);
    tcase_add_test(line, line_too_long_or_with_nul);
    suite_add_tcase(suite, line);
    TCase *file = tcase_create("file");
    tcase_add_checked_fixture(file, make_etc, remove_etc);
    tcase_add_test(file, name_and_number_match);
    tcase_add_test(file, no_more_than_there_is_room);
    tcase_add_loop_test(file, very_long_lines_are_skipped, 0, 9);
    tcase_add_test(file, many_lines);
    tcase_add_test(file, refuses_what_is_no_file);
    tcase_add_loop_test(file, nsswitch_names_the_source, 0,
                        sizeof nsswitches / sizeof nsswitches[0]);
    suite_add_tcase(suite, file);
    return tap_run(suite);
}
