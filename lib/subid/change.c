#include "lib/subid/change.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"

#define FORMAT "rootless-toolkit subid change 1\n"

/* ---- who ---- */

/* The words of this process, joined by blanks; "" when /proc does not tell. */
static void read_command(char *ret, size_t size)
{
    cleanup_close int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : file_read_full(fd, ret, size - 1);
    size_t len = n > 0 ? (size_t)n : 0;
    while (len > 0 && ret[len - 1] == '\0')
        len--;
    ret[len] = '\0';
    for (size_t i = 0; i < len; i++) {
        if (ret[i] == '\0')
            ret[i] = ' ';
        else if ((unsigned char)ret[i] < ' ' || (unsigned char)ret[i] >= 0x7f)
            ret[i] = '?';
    }
}

void subid_change_sign(struct subid_change *change)
{
    const char *sudo = getenv("SUDO_UID");
    uint32_t uid = 0;
    change->time = time(NULL);
    change->uid = getuid();
    change->sudo_uid = sudo && parse_u32("SUDO_UID", sudo, 0, UINT32_MAX - 1, &uid, NULL) == 0
                           ? (uid_t)uid
                           : (uid_t)-1;
    read_command(change->command, sizeof change->command);
}

/* ---- writing ---- */

static void put_content(FILE *out, const struct subid_content *content)
{
    (void)fprintf(out, " %d:%" PRIu64 ":%016" PRIx64, content->exists, content->size,
                  content->hash);
}

static void put_file(FILE *out, enum subid_kind kind, const struct subid_change_file *file)
{
    (void)fputs(subid_name(kind), out);
    put_content(out, &file->before);
    put_content(out, &file->after);
    (void)fputc('\n', out);
    for (size_t e = 0; e < file->edits.n; e++) {
        const struct subid_edit *edit = &file->edits.items[e];
        (void)fprintf(out, "%c%zu ", (char)edit->sign, edit->at);
        (void)fwrite(edit->text, 1, edit->len, out);
        (void)fputc('\n', out);
    }
}

int subid_change_render(const struct subid_change *change, char **ret, size_t *ret_len,
                        struct err *err)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return err_sys(err, errno, "cannot write down the change");
    (void)fprintf(out, FORMAT "number %" PRIu32 "\ntime %" PRId64 "\nby %u ", change->number,
                  change->time, change->uid);
    if (change->sudo_uid == (uid_t)-1)
        (void)fputc('-', out);
    else
        (void)fprintf(out, "%u", change->sudo_uid);
    (void)fprintf(out, "\nundoes %" PRIu32 "\ncommand %s\n", change->undoes, change->command);
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++)
        if (change->file[kind].touched)
            put_file(out, (enum subid_kind)kind, &change->file[kind]);
    (void)fputs("end\n", out);
    int failed = ferror(out);
    if (fclose(out) != 0 || failed) {
        free(text);
        return err_set(err, ENOMEM, "no memory to write the change down");
    }
    *ret = text;
    *ret_len = len;
    return 0;
}

/* ---- reading ---- */

static bool take_u32(struct cursor *c, uint32_t *ret)
{
    uint64_t value = 0;
    if (!cursor_u64(c, 10, UINT32_MAX, &value))
        return false;
    *ret = (uint32_t)value;
    return true;
}

static bool take_content(struct cursor *c, struct subid_content *ret)
{
    uint64_t exists = 0;
    if (!cursor_char(c, ' ') || !cursor_u64(c, 10, 1, &exists) || !cursor_char(c, ':') ||
        !cursor_u64(c, 10, UINT64_MAX, &ret->size) || !cursor_char(c, ':') ||
        !cursor_u64(c, 16, UINT64_MAX, &ret->hash))
        return false;
    ret->exists = exists == 1;
    return true;
}

/* The rest of the line, with its newline. */
static bool take_rest(struct cursor *c, const char **ret, size_t *ret_len)
{
    cursor_until(c, '\n', ret, ret_len);
    return cursor_char(c, '\n');
}

static bool take_head(struct cursor *c, struct subid_change *change)
{
    uint64_t time = 0;
    uint32_t uid = 0, sudo_uid = UINT32_MAX;
    const char *command = NULL;
    size_t len = 0;
    if (!cursor_word(c, FORMAT "number ") || !take_u32(c, &change->number) ||
        !cursor_word(c, "\ntime ") || !cursor_u64(c, 10, INT64_MAX, &time) ||
        !cursor_word(c, "\nby ") || !take_u32(c, &uid) || !cursor_char(c, ' ') ||
        (!cursor_char(c, '-') && !take_u32(c, &sudo_uid)) || !cursor_word(c, "\nundoes ") ||
        !take_u32(c, &change->undoes) || !cursor_word(c, "\ncommand ") ||
        !take_rest(c, &command, &len) || len >= sizeof change->command)
        return false;
    memcpy(change->command, command, len);
    change->time = (int64_t)time;
    change->uid = uid;
    change->sudo_uid = sudo_uid;
    return true;
}

static bool is_sign(char c)
{
    return c == SUBID_EDIT_KEEP || c == SUBID_EDIT_GO || c == SUBID_EDIT_COME;
}

/* @return 1 for a file's part, 0 when there is none, -errno */
static int take_file(struct cursor *c, enum subid_kind kind, struct subid_change_file *file,
                     struct err *err)
{
    if (!cursor_word(c, subid_name(kind)))
        return 0;
    if (!take_content(c, &file->before) || !take_content(c, &file->after) || !cursor_char(c, '\n'))
        return -EINVAL;
    file->touched = true;
    size_t last = 0;
    while (!cursor_done(c) && is_sign(*c->p)) {
        struct subid_edit edit = {.sign = (enum subid_edit_sign) * c->p++};
        uint64_t at = 0;
        if (!cursor_u64(c, 10, SUBID_DB_MAX, &at) || at < last || !cursor_char(c, ' ') ||
            !take_rest(c, &edit.text, &edit.len))
            return -EINVAL;
        edit.at = last = (size_t)at;
        int r = subid_edits_append(&file->edits, edit, err);
        if (r < 0)
            return r;
    }
    return 1;
}

int subid_change_parse(struct subid_change *change, char *take_text, size_t len, struct err *err)
{
    *change = (struct subid_change){.text = take_text};
    struct cursor c = {.p = take_text, .end = take_text + len};
    int r = take_head(&c, change) ? 0 : -EINVAL;
    for (int kind = SUBID_UID; kind <= SUBID_GID && r >= 0; kind++)
        r = take_file(&c, (enum subid_kind)kind, &change->file[kind], err);
    if (r >= 0 && (!cursor_word(&c, "end\n") || !cursor_done(&c)))
        r = -EINVAL;
    if (r >= 0)
        return 0;
    size_t at = (size_t)(c.p - take_text);
    subid_change_free(change);
    return r == -EINVAL ? err_set(err, EINVAL, "no record of a change (at byte %zu)", at) : r;
}

void subid_change_free(struct subid_change *change)
{
    subid_edits_free(&change->file[SUBID_UID].edits);
    subid_edits_free(&change->file[SUBID_GID].edits);
    free(change->text);
    *change = (struct subid_change){0};
}
