/*
 * Every known error is recognised by its real texts and by each of its patterns alone, as itself
 * and nothing else; and whatever is pasted, what comes back is plain text.
 */
#include "tests/unit/tap.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "rootless-setup/check/probe.h"
#include "rootless-setup/explain/about.h"
#include "rootless-setup/explain/match.h"
#include "tests/unit/explain_samples.h"

static struct explain_found found[EXPLAIN_FOUND_MAX];

static size_t explain(const char *text)
{
    static char buf[8192];
    size_t len = strlen(text);
    ck_assert_uint_lt(len, sizeof buf);
    (void)memcpy(buf, text, len + 1);
    len = explain_normalize(buf, len);
    ck_assert_uint_eq(strlen(buf), len);
    return explain_match(buf, len, found);
}

/* The first answer is the row, and no other is as specific. */
static void assert_means(const char *text, const char *id)
{
    size_t n = explain(text);
    ck_assert_msg(n > 0, "\"%s\" is not recognised", text);
    ck_assert_msg(strcmp(found[0].row->id, id) == 0, "\"%s\" is %s, not %s", text, found[0].row->id,
                  id);
    for (size_t i = 1; i < n; i++)
        ck_assert_msg(found[i].weight < found[0].weight || found[i].row->symptom,
                      "\"%s\" could be %s as well", text, found[i].row->id);
}

START_TEST(a_real_text_means_its_row)
{
    assert_means(explain_samples[_i].text, explain_samples[_i].id);
}
END_TEST

/* What the pattern stands for at least: a word for "*", a digit for "#". */
static void assert_pattern_alone(const struct explain_row *row, const char *pattern)
{
    char text[512];
    size_t n = 0;
    for (; *pattern && n < sizeof text - 8; pattern++) {
        if (*pattern == '*')
            n += (size_t)snprintf(text + n, sizeof text - n, "x");
        else
            text[n++] = *pattern == '#' ? '7' : (char)toupper((unsigned char)*pattern);
    }
    text[n] = '\0';
    assert_means(text, row->id);
}

START_TEST(every_pattern_means_its_row)
{
    const struct explain_row *row = &explain_rows[_i];
    for (size_t i = 0; i < EXPLAIN_PATTERNS_MAX && row->patterns[i]; i++)
        assert_pattern_alone(row, row->patterns[i]);
}
END_TEST

START_TEST(every_row_has_its_check_and_its_text)
{
    const struct explain_row *row = &explain_rows[_i];
    if (row->check)
        ck_assert_msg(check_probe_index(row->check) >= 0, "%s: no check %s", row->id, row->check);
    size_t n = 0;
    for (size_t i = 0; i < explain_samples_count; i++)
        n += strcmp(explain_samples[i].id, row->id) == 0;
    ck_assert_uint_gt(n, 0);
}
END_TEST

START_TEST(every_check_can_be_asked_about)
{
    size_t n = 0;
    for (size_t i = 0; i < explain_abouts_count; i++) {
        n += strcmp(explain_abouts[i].check, check_probes[_i].id) == 0;
        ck_assert_ptr_null(strstr(explain_abouts[i].text, "**"));
    }
    ck_assert_uint_eq(n, 1);
}
END_TEST

static const struct {
    const char *text, *id;
} variants[] = {
    /* The special before the general, wherever they stand. */
    {"cannot connect to the Docker daemon at unix:///x\nnewuidmap: write to uid_map failed: "
     "Operation not permitted",
     "newuidmap-powerless"},
    {"Error: error mounting \"/x\" to rootfs at \"/y\": flags: 0x1: operation not permitted",
     "mount-locked"},
    {"error mounting \"proc\" to rootfs at \"/proc\": flags: 0xe: operation not permitted",
     "nested-proc"},
    /* As logs and terminals change a text. */
    {"Sep 27 14:44:14 host dockerd-rootless.sh[311]: newuidmap:  write to uid_map\n failed: "
     "Operation not permitted",
     "newuidmap-powerless"},
    {"level=error msg=\"exec: \\\"slirp4netns\\\": executable file not found in $PATH\"",
     "slirp4netns-missing"},
    {"\033[31mcrun: the requested cgroup controller \xe2\x80\x98pids\xe2\x80\x99 is not "
     "available\033[0m",
     "cgroup-controller"},
};

START_TEST(a_changed_text_still_means_its_row)
{
    assert_means(variants[_i].text, variants[_i].id);
}
END_TEST

START_TEST(a_star_stays_in_its_line)
{
    ck_assert_uint_eq(explain("lchown /etc/shadow fine\nother: invalid argument"), 0);
}
END_TEST

START_TEST(unknown_text_is_unknown)
{
    ck_assert_uint_eq(explain(""), 0);
    ck_assert_uint_eq(explain("hello, world"), 0);
    ck_assert_uint_eq(explain("operation not permitted"), 0);
    ck_assert_uint_eq(explain("newuidmap"), 0);
}
END_TEST

START_TEST(a_log_tells_all_it_holds)
{
    ck_assert_uint_eq(explain("No subuid ranges found for user 1003\n"
                              "newgidmap: gid range [1-2) -> [3-4) not allowed\n"
                              "status=203/EXEC\n"
                              "cannot connect to the docker daemon at unix:///run"),
                      4);
    ck_assert_str_eq(found[3].row->id, "docker-down");
}
END_TEST

START_TEST(what_is_shown_is_plain)
{
    ck_assert_uint_eq(explain("lchown \x1b[2J\x07\xc2\x9b"
                              "1m\r\n/f\x7f: invalid argument"),
                      0);
    ck_assert_uint_eq(explain("lchown \x1b[2J\x07\xc2\x9b"
                              "1m/f\x7f: invalid argument"),
                      1);
    for (const char *c = found[0].shown; *c; c++)
        ck_assert(*c >= ' ' && *c < 127);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("setup-explain");
    TCase *cases = tcase_create("setup-explain");
    tcase_add_loop_test(cases, a_real_text_means_its_row, 0, (int)explain_samples_count);
    tcase_add_loop_test(cases, every_pattern_means_its_row, 0, (int)explain_rows_count);
    tcase_add_loop_test(cases, every_row_has_its_check_and_its_text, 0, (int)explain_rows_count);
    tcase_add_loop_test(cases, every_check_can_be_asked_about, 0, (int)check_probes_count);
    tcase_add_loop_test(cases, a_changed_text_still_means_its_row, 0,
                        (int)(sizeof variants / sizeof variants[0]));
    tcase_add_test(cases, a_star_stays_in_its_line);
    tcase_add_test(cases, unknown_text_is_unknown);
    tcase_add_test(cases, a_log_tells_all_it_holds);
    tcase_add_test(cases, what_is_shown_is_plain);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
