#include "rootlesskit/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/subid/source.h"

#define NUMBER_MAX 11 /* "4294967295" and its NUL */
#define WORDS_MAX (2 + 3 * (2 * SUBID_RANGES_MAX + 1) + 1)

/* One newXidmap run: its words, its process, what it said. */
struct mapper {
    enum subid_kind kind;
    const char *program;
    const char *words[WORDS_MAX];
    char numbers[WORDS_MAX][NUMBER_MAX];
    size_t n;
    pid_t pid;
    int output;
    char said[512];
};

static void add_number(struct mapper *mapper, uint32_t value)
{
    char *text = mapper->numbers[mapper->n];
    (void)snprintf(text, NUMBER_MAX, "%u", value);
    mapper->words[mapper->n++] = text;
}

static uint32_t add_extent(struct mapper *mapper, uint32_t inside, uint32_t outside, uint32_t count)
{
    if (count > 0) {
        add_number(mapper, inside);
        add_number(mapper, outside);
        add_number(mapper, count);
    }
    return inside + count;
}

/* Adds a range without the caller's own id, which is root already: an id may be mapped once only.
 */
static uint32_t add_range(struct mapper *mapper, uint32_t inside, struct subid_range range,
                          uint32_t own)
{
    uint32_t end = range.start + range.count;
    if (own < range.start || own >= end)
        return add_extent(mapper, inside, range.start, range.count);
    inside = add_extent(mapper, inside, range.start, own - range.start);
    return add_extent(mapper, inside, own + 1, end - own - 1);
}

static int no_ranges(const struct subid_source *source, enum subid_kind kind, const char *user,
                     struct err *err)
{
    const char *what = kind == SUBID_UID ? "uids" : "gids";
    if (!subid_source_is_files(source))
        return err_set(err, ENOENT, "no subordinate %s for user %s (uid %u) in %s", what, user,
                       getuid(), subid_source_where(source, kind));
    return err_set(err, ENOENT,
                   "no subordinate %s for user %s (uid %u) in %s; add some with: sudo "
                   "rootless-setup subid add %s",
                   what, user, getuid(), subid_path(kind), user);
}

static int fill(struct mapper *mapper, pid_t child, const struct subid_source *source,
                const char *user, struct err *err)
{
    struct subid_range ranges[SUBID_RANGES_MAX];
    int n = subid_source_grants(source, mapper->kind, user, getuid(), ranges, err);
    if (n < 0 && n != -ENOENT)
        return n;
    if (n <= 0)
        return no_ranges(source, mapper->kind, user, err);
    uint32_t own = mapper->kind == SUBID_UID ? getuid() : getgid();
    mapper->words[mapper->n++] = mapper->program;
    add_number(mapper, (uint32_t)child);
    uint32_t inside = add_extent(mapper, 0, own, 1);
    for (int i = 0; i < n; i++) {
        if (ranges[i].count > UINT32_MAX - inside)
            return err_set(err, ERANGE,
                           "user %s has more subordinate ids in %s than a user namespace can hold",
                           user, subid_source_where(source, mapper->kind));
        inside = add_range(mapper, inside, ranges[i], own);
    }
    return 0;
}

static int start(struct mapper *mapper, struct err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys(err, errno, "cannot make a pipe");
    struct proc_spec spec = {.argv = mapper->words, .stdout_fd = ends[1], .stderr_fd = ends[1]};
    mapper->pid = proc_start(&spec, err);
    fd_close(ends[1]);
    if (mapper->pid < 0) {
        fd_close(ends[0]);
        int r = mapper->pid;
        mapper->pid = 0;
        return r == -ENOENT
                   ? err_set(err, ENOENT,
                             "%s is not in $PATH: install it (rootless-setup check says how)",
                             mapper->program)
                   : r;
    }
    mapper->output = ends[0];
    return 0;
}

static void describe_failure(const struct mapper *mapper, int status, struct err *err)
{
    char how[64];
    const char *said = mapper->said[0] ? mapper->said : "no message";
    const char *hint =
        prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1
            ? "no_new_privs is set on this process, which takes newuidmap's capability away"
            : "rootless-setup check finds the cause";
    (void)err_set(err, EPERM, "failed to setup UID/GID map: %s: %s (%s); %s", mapper->program, said,
                  proc_describe(status, how, sizeof how), hint);
}

static int finish(struct mapper *mapper, struct err *err)
{
    if (mapper->pid <= 0)
        return 0;
    ssize_t n = file_read_full(mapper->output, mapper->said, sizeof mapper->said - 1);
    mapper->output = fd_close(mapper->output);
    mapper->said[n > 0 ? n : 0] = '\0';
    mapper->said[strcspn(mapper->said, "\n")] = '\0';
    int status = proc_wait(mapper->pid);
    if (status == 0)
        return 0;
    describe_failure(mapper, status, err);
    return -EPERM;
}

/* Both command lines, whole, before either program starts. */
static int fill_both(struct mapper mappers[2], pid_t child, struct err *err)
{
    char user[256];
    struct subid_place place;
    struct subid_source source = {0};
    const struct passwd *pw = getpwuid(getuid());
    if (!pw || str_copy(user, sizeof user, pw->pw_name) < 0)
        (void)str_format(user, sizeof user, "%u", getuid());
    int r = subid_place_open(&place, NULL, err);
    if (r < 0)
        return r;
    r = subid_source_open(&source, &place, err);
    for (int i = 0; i < 2 && r >= 0; i++)
        r = fill(&mappers[i], child, &source, user, err);
    subid_source_close(&source);
    subid_place_close(&place);
    return r;
}

int maps_write(pid_t child, struct err *err)
{
    struct mapper mappers[2] = {
        {.kind = SUBID_UID, .program = "newuidmap"},
        {.kind = SUBID_GID, .program = "newgidmap"},
    };
    int r = fill_both(mappers, child, err);
    for (int i = 0; i < 2 && r >= 0; i++)
        r = start(&mappers[i], err);
    for (int i = 0; i < 2; i++) {
        int done = finish(&mappers[i], r < 0 ? NULL : err);
        if (r >= 0)
            r = done;
    }
    return r;
}
