/* Folding: no line is longer than the terminal, no word is broken, and none is lost. */
#include "tests/unit/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cli/terminal.h"

static const struct {
    const char *text;
    size_t column;
    const char *indent;
    unsigned width;
    const char *want;
} cases[] = {
    {"one two three", 0, "", 0, "one two three\n"},
    {"one two three", 0, "", 13, "one two three\n"},
    {"one two three", 0, "", 12, "one two\nthree\n"},
    {"one two three", 4, "  ", 11, "one two\n  three\n"},
    {"one two three", 9, "  ", 11, "\n  one two\n  three\n"},
    {"a-word-that-is-long b", 0, "  ", 5, "a-word-that-is-long\n  b\n"},
    {"a-word-that-is-long b", 2, "  ", 5, "a-word-that-is-long\n  b\n"},
    {"b a-word-that-is-long", 2, "  ", 5, "b\n  a-word-that-is-long\n"},
    {"", 3, "  ", 5, "\n"},
};

START_TEST(text_is_folded)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(out);
    terminal_fold(out, cases[_i].text, cases[_i].column, cases[_i].indent, cases[_i].width);
    (void)fclose(out);
    ck_assert_str_eq(text, cases[_i].want);
    free(text);
}
END_TEST

START_TEST(colour_is_asked_for_or_refused)
{
    ck_assert(terminal_color("always"));
    ck_assert(!terminal_color("never"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("terminal");
    TCase *tcase = tcase_create("terminal");
    tcase_add_loop_test(tcase, text_is_folded, 0, (int)(sizeof cases / sizeof cases[0]));
    tcase_add_test(tcase, colour_is_asked_for_or_refused);
    suite_add_tcase(suite, tcase);
    return tap_run(suite);
}
