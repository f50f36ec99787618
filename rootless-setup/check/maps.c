#include "rootless-setup/check/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/proc.h"
#include "lib/subid/source.h"
#include "rootless-setup/check/subject.h"

#define NUMBER_MAX 11 /* "4294967295" and its NUL */
#define WORDS_MAX (2 + 3 * (SUBID_RANGES_MAX + 2) + 1)

/* The command line, and what the map should cover in the end. */
struct request {
    const char *words[WORDS_MAX];
    char numbers[WORDS_MAX][NUMBER_MAX];
    size_t n;
    uint64_t ids;
};

static void add_number(struct request *request, uint32_t value)
{
    char *text = request->numbers[request->n];
    (void)snprintf(text, NUMBER_MAX, "%u", value);
    request->words[request->n++] = text;
}

static void add_extent(struct request *request, uint32_t outside, uint32_t count)
{
    if (count == 0 || request->n + 4 > WORDS_MAX || request->ids + count > UINT32_MAX)
        return;
    add_number(request, (uint32_t)request->ids);
    add_number(request, outside);
    add_number(request, count);
    request->ids += count;
}

int maps_ranges(const struct check_subject *subject, enum subid_kind kind,
                struct subid_range ret[SUBID_RANGES_MAX])
{
    struct subid_place place;
    struct subid_source source = {0};
    int n = subid_place_open(&place, NULL, NULL);
    if (n == 0)
        n = subid_source_open(&source, &place, NULL);
    if (n == 0)
        n = subid_source_grants(&source, kind, subject->name, subject->uid, ret, NULL);
    subid_source_close(&source);
    subid_place_close(&place);
    return n;
}

/* As rootlesskit does it: the own id is 0, and is left out where a range has it again. */
static void fill(struct request *request, const char *program, pid_t target, enum subid_kind kind,
                 const struct check_subject *subject)
{
    static struct subid_range ranges[SUBID_RANGES_MAX];
    int n = maps_ranges(subject, kind, ranges);
    uint32_t own = kind == SUBID_UID ? geteuid() : getegid();
    request->words[request->n++] = program;
    add_number(request, (uint32_t)target);
    add_extent(request, own, 1);
    for (int i = 0; i < n; i++) {
        uint32_t start = ranges[i].start, end = start + ranges[i].count;
        if (own >= start && own < end) {
            add_extent(request, start, own - start);
            start = own + 1;
        }
        add_extent(request, start, end - start);
    }
}

/* @return wait status, or -errno when it could not be started */
static int run(const struct request *request, char *said, size_t size, struct err *err)
{
    int output[2];
    if (pipe2(output, O_CLOEXEC) < 0)
        return err_sys(err, errno, "cannot make a pipe");
    struct proc_spec spec = {
        .argv = request->words,
        .stdout_fd = output[1],
        .stderr_fd = output[1],
        .die_with_parent = 1,
    };
    pid_t pid = proc_start(&spec, err);
    fd_close(output[1]);
    ssize_t n = pid < 0 ? 0 : file_read_full(output[0], said, size - 1);
    said[n > 0 ? n : 0] = '\0';
    said[strcspn(said, "\n")] = '\0';
    fd_close(output[0]);
    return pid < 0 ? pid : proc_wait(pid);
}

void maps_try(pid_t target, enum subid_kind kind, const struct check_subject *subject,
              struct maps_attempt *ret, struct err *err)
{
    static struct request request;
    request = (struct request){.n = 0};
    *ret = (struct maps_attempt){.program = kind == SUBID_UID ? "newuidmap" : "newgidmap"};
    if (proc_find(ret->program, ret->path, sizeof ret->path) < 0) {
        ret->path[0] = '\0';
        ret->status = err_set(err, ENOENT, "no %s in $PATH", ret->program);
        return;
    }
    fill(&request, ret->path, target, kind, subject);
    ret->ids = request.ids;
    ret->status = run(&request, ret->said, sizeof ret->said, err);
}

uint64_t maps_count(pid_t pid, enum subid_kind kind)
{
    char path[64], text[16384];
    uint64_t total = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/%s", pid,
                   kind == SUBID_UID ? "uid_map" : "gid_map");
    if (file_read_into(AT_FDCWD, path, text, sizeof text, NULL) < 0)
        return 0;
    struct cursor all = cursor_of(text), line;
    while (cursor_line(&all, &line)) {
        uint64_t number[3] = {0};
        for (size_t i = 0; i < 3; i++) {
            while (cursor_char(&line, ' '))
                continue;
            (void)cursor_u64(&line, 10, UINT32_MAX, &number[i]);
        }
        total += number[2];
    }
    return total;
}
