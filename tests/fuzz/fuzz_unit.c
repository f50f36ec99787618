/* Units of systemd: every finding is a piece of the text, on a line that it has. */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <string.h>

#include "rootless-setup/check/unit.h"

struct text {
    const char *begin;
    size_t size;
    unsigned lines;
};

static void found(enum unit_finding finding, unsigned line, const char *word, size_t len, void *arg)
{
    const struct text *text = arg;
    require(finding <= UNIT_PRIVILEGES);
    require(line >= 1 && line <= text->lines);
    require(word >= text->begin && len <= text->size);
    require(word + len <= text->begin + text->size);
    require(!memchr(word, '\n', len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1);
    assert(copy);
    memcpy(copy, data, size);
    copy[size] = '\0';
    struct text text = {.begin = copy, .size = strlen(copy), .lines = 1};
    for (const char *c = copy; *c; c++)
        text.lines += *c == '\n';
    unit_lint(copy, found, &text);
    free(copy);
    return 0;
}
