#include "rootlesskit/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/proc.h"
#include "rootlesskit/grants.h"
#include "rootlesskit/mapfail.h"
#include "rootlesskit/options.h"

#define NUMBER_MAX 11 /* "4294967295" and its NUL */
#define WORDS_MAX (2 + 3 * SUBID_RANGES_MAX + 1)

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

static const char *kind_name(enum subid_kind kind)
{
    return kind == SUBID_UID ? "uids" : "gids";
}

static void add_number(struct mapper *mapper, uint32_t value)
{
    char *text = mapper->numbers[mapper->n];
    (void)snprintf(text, NUMBER_MAX, "%u", value);
    mapper->words[mapper->n++] = text;
}

static uint32_t add_extent(struct mapper *mapper, uint32_t inside, uint32_t outside, uint32_t count)
{
    add_number(mapper, inside);
    add_number(mapper, outside);
    add_number(mapper, count);
    return inside + count;
}

static int fill(struct mapper *mapper, const struct maps *maps, pid_t child, struct err *err)
{
    const struct idline *line = &maps->lines[mapper->kind];
    uint32_t inside = 0;
    if (line->n + 1 > SUBID_RANGES_MAX)
        return err_set(err, E2BIG,
                       "your subordinate %s are %zu ranges, and the kernel takes %d at most, your "
                       "own id included; merge some",
                       kind_name(mapper->kind), line->n, SUBID_RANGES_MAX);
    mapper->words[mapper->n++] = mapper->program;
    add_number(mapper, (uint32_t)child);
    inside = add_extent(mapper, 0, mapper->kind == SUBID_UID ? getuid() : getgid(), 1);
    for (size_t i = 0; i < line->n; i++)
        inside = add_extent(mapper, inside, line->items[i].start, line->items[i].count);
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
    char how[64], hint[PATH_MAX + 256];
    const char *said = mapper->said[0] ? mapper->said : "no message";
    (void)err_set(err, EPERM, "failed to setup UID/GID map: %s: %s (%s); %s", mapper->program, said,
                  proc_describe(status, how, sizeof how),
                  mapfail_hint(mapper->kind, mapper->program, hint, sizeof hint));
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

/* ---- what is to be mapped ---- */

int maps_plan(struct maps *ret, const struct rk_config *config, struct err *err)
{
    struct grants grants;
    *ret = (struct maps){0};
    int r = grants_find(&grants, config->subid_source, err);
    for (enum subid_kind kind = SUBID_UID; kind <= SUBID_GID && r >= 0; kind++)
        r = idline_make(&ret->lines[kind], grants.ranges[kind], grants.n[kind],
                        kind == SUBID_UID ? getuid() : getgid(), kind_name(kind), err);
    return r;
}

/* ---- written ---- */

int maps_write(const struct maps *maps, pid_t child, struct err *err)
{
    struct mapper mappers[2] = {
        {.kind = SUBID_UID, .program = "newuidmap"},
        {.kind = SUBID_GID, .program = "newgidmap"},
    };
    int r = 0;
    for (int i = 0; i < 2 && r >= 0; i++)
        r = fill(&mappers[i], maps, child, err);
    for (int i = 0; i < 2 && r >= 0; i++)
        r = start(&mappers[i], err);
    for (int i = 0; i < 2; i++) {
        int done = finish(&mappers[i], r < 0 ? NULL : err);
        if (r >= 0)
            r = done;
    }
    return r;
}
