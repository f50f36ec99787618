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
#include "rootlesskit/slicestore.h"
#include "rootlesskit/statedir.h"

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
    if (line->n + !maps->is_slice > SUBID_RANGES_MAX)
        return err_set(err, E2BIG,
                       "your subordinate %s are %zu ranges, and the kernel takes %d at most, your "
                       "own id included; merge some",
                       grants_kind_name(mapper->kind), line->n, SUBID_RANGES_MAX);
    mapper->words[mapper->n++] = mapper->program;
    add_number(mapper, (uint32_t)child);
    if (!maps->is_slice)
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

static int check_fits(struct slice slice, const struct grants *grants, const struct idline lines[2],
                      struct err *err)
{
    for (enum subid_kind kind = SUBID_UID; kind <= SUBID_GID; kind++)
        if (slice.offset + slice.count > lines[kind].total)
            return err_set(err, ERANGE,
                           "--subid-slice: the slice %u:%u is not within your subordinate %s: %s "
                           "has %u for you; get more, or choose another slice",
                           slice.offset, slice.count, grants_kind_name(kind), grants->where[kind],
                           lines[kind].total);
    return 0;
}

static int find_slice(const struct rk_config *config, const struct statedir *state,
                      const struct grants *grants, const struct idline lines[2], struct slice *ret,
                      struct err *err)
{
    uint32_t uids = lines[SUBID_UID].total, gids = lines[SUBID_GID].total;
    int r = config->slice.kind == SLICE_GIVEN ? check_fits(config->slice, grants, lines, err) : 0;
    if (r >= 0)
        r = slicestore_claim(state->path, config->slice, uids < gids ? uids : gids, ret, err);
    return r < 0 ? r : check_fits(*ret, grants, lines, err);
}

static int plan_slice(struct maps *maps, const struct rk_config *config,
                      const struct statedir *state, const struct grants *grants, struct err *err)
{
    struct slice slice = {0};
    int r = find_slice(config, state, grants, maps->lines, &slice, err);
    if (r < 0)
        return r;
    for (enum subid_kind kind = SUBID_UID; kind <= SUBID_GID; kind++)
        idline_cut(&maps->lines[kind], slice.offset, slice.count);
    maps->is_slice = true;
    maps->root = maps->lines[SUBID_UID].items[0].start;
    return statedir_let_through(state, err);
}

int maps_plan(struct maps *ret, const struct rk_config *config, const struct statedir *state,
              struct err *err)
{
    struct grants grants;
    *ret = (struct maps){.root = getuid()};
    int r = grants_find(&grants, config->subid_source, err);
    for (enum subid_kind kind = SUBID_UID; kind <= SUBID_GID && r >= 0; kind++)
        r = idline_make(&ret->lines[kind], grants.ranges[kind], grants.n[kind],
                        kind == SUBID_UID ? getuid() : getgid(), grants_kind_name(kind), err);
    if (r >= 0 && config->slice.kind != SLICE_NONE)
        r = plan_slice(ret, config, state, &grants, err);
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
