#include "rootless-setup/install/own.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "rootless-setup/fix/place.h"

#define MARK "# rootless-setup: "
#define DIRS_MAX 16

void own_cleanup(struct own_file *file)
{
    free(file->text);
    file->text = NULL;
}

/* FNV-1a: it is to notice an edit, not an attack; the file is the user's own. */
static uint64_t add_sum(uint64_t sum, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        sum = (sum ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    return sum;
}

static uint64_t sum_of(const char *text, const struct own_memory *memory)
{
    char line[512];
    uint64_t sum = add_sum(UINT64_C(0xcbf29ce484222325), text, strlen(text));
    int n = str_format(line, sizeof line, "%u %s", memory->dirs, memory->context);
    return add_sum(sum, line, n > 0 ? (size_t)n : 0);
}

char *own_sign(const char *text, const struct own_memory *memory)
{
    char *signed_text = NULL;
    if (asprintf(&signed_text, "%s" MARK "dirs=%u context=%s sum=%016" PRIx64 "\n", text,
                 memory->dirs, memory->context, sum_of(text, memory)) < 0)
        return NULL;
    return signed_text;
}

static bool take(struct cursor *c, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(c->end - c->p) < len || memcmp(c->p, word, len) != 0)
        return false;
    c->p += len;
    return true;
}

/* @return whether the line is whole; then @p ret and @p ret_sum are what it says */
static bool read_line(const char *line, size_t len, struct own_memory *ret, uint64_t *ret_sum)
{
    struct cursor c = {line, line + len};
    struct own_memory memory = {0};
    uint64_t dirs;
    const char *context;
    size_t context_len;
    if (!take(&c, MARK "dirs=") || !cursor_u64(&c, 10, DIRS_MAX, &dirs) || !take(&c, " context="))
        return false;
    cursor_until(&c, ' ', &context, &context_len);
    if (str_format(memory.context, sizeof memory.context, "%.*s", (int)context_len, context) < 0 ||
        !take(&c, " sum=") || !cursor_u64(&c, 16, UINT64_MAX, ret_sum) || !cursor_done(&c))
        return false;
    memory.dirs = (unsigned)dirs;
    *ret = memory;
    return true;
}

/* The mark at the beginning of a line, or NULL. */
static const char *find_mark(const char *text)
{
    const char *mark = strstr(text, MARK);
    while (mark && mark != text && mark[-1] != '\n')
        mark = strstr(mark + 1, MARK);
    return mark;
}

int own_parse(const char *text, struct own_file *ret)
{
    uint64_t sum = 0;
    *ret = (struct own_file){.state = OWN_FOREIGN};
    const char *mark = find_mark(text);
    if (!mark)
        return OWN_FOREIGN;
    size_t len = strcspn(mark, "\n");
    const char *rest = mark + len + (mark[len] == '\n');
    if (asprintf(&ret->text, "%.*s%s", (int)(mark - text), text, rest) < 0) {
        ret->text = NULL;
        return -ENOMEM;
    }
    bool whole = read_line(mark, len, &ret->memory, &sum);
    ret->state = whole && sum == sum_of(ret->text, &ret->memory) ? OWN_INTACT : OWN_EDITED;
    return (int)ret->state;
}

int own_read(const struct place *place, const char *path, struct own_file *ret, struct err *err)
{
    cleanup_place_file struct place_file file = {0};
    *ret = (struct own_file){.state = OWN_ABSENT};
    int r = place_read(place, path, &file, err);
    if (r == -ELOOP || r == -EISDIR) {
        ret->state = OWN_FOREIGN;
        return 0;
    }
    if (r < 0 || !file.data)
        return r;
    r = own_parse(file.data, ret);
    return r < 0 ? err_sys(err, -r, "cannot read %s", path) : 0;
}
