/* newuidmap and newgidmap: map a scratch namespace with the user's own ranges, as engines do. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/subid/source.h"
#include "rootless-setup/check/explain.h"
#include "rootless-setup/check/probe.h"

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

/* As rootlesskit does it: the own id is 0, and is left out where a range has it again. */
static void fill(struct request *request, const char *program, pid_t target, enum subid_kind kind,
                 const struct check_subject *subject)
{
    static struct subid_range ranges[SUBID_RANGES_MAX];
    struct subid_place place;
    struct subid_source source = {0};
    int n = subid_place_open(&place, NULL, NULL);
    if (n == 0)
        n = subid_source_open(&source, &place, NULL);
    if (n == 0)
        n = subid_source_grants(&source, kind, subject->name, subject->uid, ranges, NULL);
    subid_source_close(&source);
    subid_place_close(&place);
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

/* A process in a user namespace without a map, which lives until we end it. */
static pid_t start_target(struct err *err)
{
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) < 0)
        return err_sys(err, errno, "cannot make a pipe");
    pid_t self = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        int r = unshare(CLONE_NEWUSER) < 0 ? errno : 0;
        (void)!write(ready[1], &r, sizeof r);
        while (r == 0 && getppid() == self)
            (void)pause();
        _exit(0);
    }
    int r = pid < 0 ? errno : EIO;
    fd_close(ready[1]);
    if (pid > 0)
        (void)file_read_full(ready[0], &r, sizeof r);
    fd_close(ready[0]);
    if (r == 0)
        return pid;
    if (pid > 0)
        (void)proc_wait(pid);
    return err_sys(err, r, "cannot make a scratch user namespace");
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

static uint64_t mapped_ids(pid_t target, enum subid_kind kind)
{
    char path[64], text[16384];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", target,
                   kind == SUBID_UID ? "uid_map" : "gid_map");
    uint64_t total = 0;
    if (file_read_into(AT_FDCWD, path, text, sizeof text, NULL) < 0)
        return 0;
    unsigned inside, outside, count;
    for (const char *line = text; sscanf(line, "%u %u %u", &inside, &outside, &count) == 3;) {
        total += count;
        line = strchr(line, '\n');
        if (!line++)
            break;
    }
    return total;
}

static void look_at(const char *path, enum subid_kind kind, struct idmap_failure *failure)
{
    struct stat st;
    struct statvfs fs;
    char begin[3] = "";
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        (void)!read(fd, begin, 2);
    failure->script = strcmp(begin, "#!") == 0;
    bool setuid = stat(path, &st) == 0 && (st.st_mode & S_ISUID);
    failure->setuid_root = setuid && st.st_uid == 0;
    failure->setuid_other = setuid && st.st_uid != 0;
    failure->file_capability = getxattr(path, "security.capability", NULL, 0) > 0;
    failure->nosuid = statvfs(path, &fs) == 0 && (fs.f_flag & ST_NOSUID);
    failure->bounded =
        prctl(PR_CAPBSET_READ, kind == SUBID_UID ? CAP_SETUID : CAP_SETGID, 0, 0, 0) == 1;
}

static void say_failure(int status, const struct request *request, const char *path,
                        const char *said, const struct err *err, struct check_result *result)
{
    char how[64];
    if (status < 0)
        check_say(result, CHECK_FAILED, "%s", err->msg);
    else if (status == 0)
        check_say(result, CHECK_FAILED, "%s says all is well, but the map is not what was asked",
                  path);
    else
        check_say(result, CHECK_FAILED, "%s for %llu ids: %s%s%s", path,
                  (unsigned long long)request->ids, proc_describe(status, how, sizeof how),
                  said[0] ? ": " : "", said);
}

static void probe_idmap(const struct check_context *context, enum subid_kind kind,
                        const char *program, struct check_result *result)
{
    char path[4096] = "", said[256] = "";
    struct idmap_failure failure = {.program = program, .path = path, .said = said};
    if (proc_find(program, path, sizeof path) < 0) {
        path[0] = '\0';
        check_say(result, CHECK_FAILED, "looked for %s in $PATH", program);
        explain_idmap(&failure, &context->facts, &context->distro, context->subject.name, result);
        return;
    }
    struct err err = {0};
    pid_t target = start_target(&err);
    if (target < 0) {
        check_say(result, CHECK_FAILED, "%s", err.msg);
        return;
    }
    static struct request request;
    fill(&request, path, target, kind, &context->subject);
    int status = run(&request, said, sizeof said, &err);
    uint64_t mapped = mapped_ids(target, kind);
    (void)kill(target, SIGKILL);
    (void)proc_wait(target);
    if (status == 0 && mapped == request.ids) {
        check_say(result, CHECK_OK, "%s mapped %llu %s in a scratch namespace", path,
                  (unsigned long long)mapped, kind == SUBID_UID ? "uids" : "gids");
        return;
    }
    say_failure(status, &request, path, said, &err, result);
    look_at(path, kind, &failure);
    explain_idmap(&failure, &context->facts, &context->distro, context->subject.name, result);
}

void probe_newuidmap(const struct check_context *context, struct check_result *result)
{
    probe_idmap(context, SUBID_UID, "newuidmap", result);
}

void probe_newgidmap(const struct check_context *context, struct check_result *result)
{
    probe_idmap(context, SUBID_GID, "newgidmap", result);
}
