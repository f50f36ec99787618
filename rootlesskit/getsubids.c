#include "rootlesskit/getsubids.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"

#define ANSWER_MAX 65536 /* bytes; SUBID_RANGES_MAX lines are less */

static bool is_blank(char ch)
{
    return ch == ' ' || ch == '\t' || ch == '\r';
}

/* @return whether there was one */
static bool skip_blanks(struct cursor *c)
{
    const char *start = c->p;
    while (!cursor_done(c) && is_blank(*c->p))
        c->p++;
    return c->p > start;
}

static bool skip_word(struct cursor *c)
{
    const char *start = c->p;
    while (!cursor_done(c) && !is_blank(*c->p) && *c->p != ':')
        c->p++;
    return c->p > start;
}

static bool take_number(struct cursor *c, uint32_t *ret)
{
    uint64_t value = 0;
    if (!skip_blanks(c) || !cursor_u64(c, 10, UINT32_MAX, &value))
        return false;
    *ret = (uint32_t)value;
    return cursor_done(c) || is_blank(*c->p) || *c->p == ':';
}

/* "0: alice 100000 65536" */
static bool parse_line(struct cursor line, struct subid_range *ret)
{
    const char *number;
    size_t len;
    cursor_until(&line, ':', &number, &len);
    if (!cursor_char(&line, ':'))
        return false;
    (void)skip_blanks(&line);
    return skip_word(&line) && take_number(&line, &ret->start) && take_number(&line, &ret->count) &&
           ret->count > 0 && ret->count <= UINT32_MAX - ret->start;
}

int getsubids_parse(const char *text, size_t len, struct subid_range *ret, size_t max,
                    struct err *err)
{
    struct cursor all = {.p = text, .end = text + len}, line;
    size_t n = 0;
    for (unsigned number = 1; cursor_line(&all, &line); number++) {
        struct subid_range range = {0};
        (void)skip_blanks(&line);
        if (cursor_done(&line) || *line.p == '#')
            continue;
        if (!parse_line(line, &range))
            return err_set(err, EINVAL,
                           "line %u of its output is not like \"0: alice 100000 65536\"", number);
        if (n == max)
            return err_set(err, E2BIG, "it lists more than %zu ranges", max);
        ret[n++] = range;
    }
    return (int)n;
}

/* The program's output; what it says on stderr is no business of the user's: one of the two
 * questions usually fails. @return length, or -errno */
static int run(const char *const *argv, char text[ANSWER_MAX], struct err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys(err, errno, "cannot make a pipe");
    cleanup_close int reader = ends[0];
    cleanup_close int writer = ends[1];
    cleanup_close int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    struct proc_spec spec = {.argv = argv, .stdout_fd = writer, .stderr_fd = null};
    pid_t pid = proc_start(&spec, err);
    if (pid < 0)
        return pid;
    writer = fd_close(writer);
    ssize_t n = file_read_full(reader, text, ANSWER_MAX);
    reader = fd_close(reader);
    int status = proc_wait(pid);
    char how[64];
    if (n == ANSWER_MAX)
        return err_set(err, EFBIG, "its output is longer than %d bytes", ANSWER_MAX - 1);
    if (n < 0)
        return err_sys(err, (int)-n, "cannot read its output");
    if (status != 0)
        return err_set(err, ENOENT, "it failed: %s", proc_describe(status, how, sizeof how));
    return (int)n;
}

static int ask(const char *program, enum subid_kind kind, const char *who, struct subid_range *ret,
               size_t max, struct err *err)
{
    static char text[ANSWER_MAX];
    const char *const by_uid[] = {program, who, NULL};
    const char *const by_gid[] = {program, "-g", who, NULL};
    int r = run(kind == SUBID_UID ? by_uid : by_gid, text, err);
    if (r >= 0)
        r = getsubids_parse(text, (size_t)r, ret, max, err);
    return r < 0 ? err_wrap(err, r, "$GETSUBIDS (%s%s %s)", program, kind == SUBID_UID ? "" : " -g",
                            who)
                 : r;
}

int getsubids_ask(const char *program, enum subid_kind kind, const char *name, uid_t uid,
                  struct subid_range ret[SUBID_RANGES_MAX], struct err *err)
{
    char digits[16];
    (void)str_format(digits, sizeof digits, "%u", uid);
    int by_name = name ? ask(program, kind, name, ret, SUBID_RANGES_MAX, err) : -ENOENT;
    size_t have = by_name > 0 ? (size_t)by_name : 0;
    int by_uid = ask(program, kind, digits, ret + have, SUBID_RANGES_MAX - have,
                     by_name < 0 && name ? NULL : err);
    if (by_name < 0 && by_uid < 0)
        return name ? by_name : by_uid;
    return (int)have + (by_uid > 0 ? by_uid : 0);
}
