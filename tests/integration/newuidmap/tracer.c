/*
 * Runs a program as a user and writes down every system call it makes, with the capabilities it
 * held while making it; or kills another process at one of them. To be run as root: the program's
 * file capabilities are given to a process that is traced by root, and by nobody else.
 *
 * Usage: tracer LOG UID GID PROGRAM [ARGUMENT...]
 *        tracer --kill PID AT UID GID PROGRAM [ARGUMENT...]: SIGKILL to PID before call AT (from
 * 1); prints the number of calls made Ends with the program's exit status, 128 + N when signal N
 * ended it.
 *
 * A line of the log: NAME PERMITTED EFFECTIVE UIDS ARG1 ARG2 ARG3 RESULT PATH; sets in hexadecimal,
 * UIDS is the real, effective, saved and file-system uid with commas, "-" where there is no PATH.
 * A call without a name in the table below is "syscall-NUMBER".
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/parse.h"

#define SECONDS_MAX 60

static const struct {
    long number;
    const char *name;
    int path; /* which argument is one, -1: none */
} calls[] = {
    {SYS_brk, "brk", -1},
    {SYS_capget, "capget", -1},
    {SYS_capset, "capset", -1},
    {SYS_clone, "clone", -1},
    {SYS_close, "close", -1},
    {SYS_close_range, "close_range", -1},
    {SYS_connect, "connect", -1},
    {SYS_execve, "execve", -1},
    {SYS_execveat, "execveat", -1},
    {SYS_exit_group, "exit_group", -1},
    {SYS_fcntl, "fcntl", -1},
    {SYS_fstat, "fstat", -1},
    {SYS_fstatfs, "fstatfs", -1},
    {SYS_getegid, "getegid", -1},
    {SYS_geteuid, "geteuid", -1},
    {SYS_getgid, "getgid", -1},
    {SYS_getrandom, "getrandom", -1},
    {SYS_getuid, "getuid", -1},
    {SYS_mmap, "mmap", -1},
    {SYS_mprotect, "mprotect", -1},
    {SYS_munmap, "munmap", -1},
    {SYS_newfstatat, "newfstatat", -1},
    {SYS_openat, "openat", 1},
    {SYS_openat2, "openat2", 1},
    {SYS_prctl, "prctl", -1},
    {SYS_pread64, "pread64", -1},
    {SYS_prlimit64, "prlimit64", -1},
    {SYS_read, "read", -1},
    {SYS_rseq, "rseq", -1},
    {SYS_rt_sigaction, "rt_sigaction", -1},
    {SYS_rt_sigprocmask, "rt_sigprocmask", -1},
    {SYS_sendto, "sendto", -1},
    {SYS_set_robust_list, "set_robust_list", -1},
    {SYS_set_tid_address, "set_tid_address", -1},
    {SYS_setresuid, "setresuid", -1},
    {SYS_socket, "socket", -1},
    {SYS_umask, "umask", -1},
    {SYS_write, "write", -1},
#ifdef __x86_64__
    {SYS_access, "access", 0},
    {SYS_arch_prctl, "arch_prctl", -1},
    {SYS_open, "open", 0},
    {SYS_readlink, "readlink", 0},
#endif
};

static void must(bool truth, const char *what)
{
    if (truth)
        return;
    (void)fprintf(stderr, "tracer: %s: %s\n", what, strerror(errno));
    exit(125);
}

static unsigned number(const char *text)
{
    uint32_t value = 0;
    must(parse_u32("argument", text, 0, UINT32_MAX - 1, &value, NULL) == 0, text);
    return value;
}

static _Noreturn void be_traced(uid_t uid, gid_t gid, char **argv)
{
    (void)alarm(SECONDS_MAX);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) != 0 ||
        setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
        _exit(125);
    (void)execv(argv[0], argv);
    _exit(127);
}

/* The line of /proc/PID/status that begins with @p key, blanks turned into commas. */
static void status_of(pid_t pid, const char *key, char buf[96])
{
    char path[32], text[8192];
    (void)snprintf(path, sizeof path, "/proc/%d/status", pid);
    must(file_read_into(AT_FDCWD, path, text, sizeof text, NULL) > 0, path);
    const char *found = strstr(text, key);
    must(found != NULL, key);
    (void)snprintf(buf, 96, "%.*s", (int)strcspn(found + strlen(key), "\n"), found + strlen(key));
    for (char *c = buf; *c; c++)
        *c = *c == '\t' ? ',' : *c;
}

static void read_text(pid_t pid, uint64_t at, char *buf, size_t size)
{
    struct iovec here = {.iov_base = buf, .iov_len = size - 1};
    struct iovec there = {.iov_base = (void *)(uintptr_t)at, .iov_len = size - 1};
    memset(buf, 0, size);
    /* Up to the end of the mapping, when that is nearer. */
    if (process_vm_readv(pid, &here, 1, &there, 1, 0) < 0) {
        there.iov_len = here.iov_len = 4096 - at % 4096 < size - 1 ? 4096 - at % 4096 : size - 1;
        (void)process_vm_readv(pid, &here, 1, &there, 1, 0);
    }
}

/* What the log says of a call, but for its result. */
static void describe(pid_t pid, const struct __ptrace_syscall_info *info, char *buf, size_t size,
                     char *path, size_t path_size)
{
    char name[32], permitted[96], effective[96], uids[96];
    uint64_t third = info->entry.args[2];
    (void)snprintf(name, sizeof name, "syscall-%" PRIu64, (uint64_t)info->entry.nr);
    (void)snprintf(path, path_size, "-");
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        if ((uint64_t)calls[i].number != info->entry.nr)
            continue;
        (void)snprintf(name, sizeof name, "%s", calls[i].name);
        if (calls[i].path >= 0)
            read_text(pid, info->entry.args[calls[i].path], path, path_size);
    }
    if (info->entry.nr == SYS_openat2) { /* the flags, as openat has them */
        struct open_how how = {0};
        struct iovec here = {.iov_base = &how, .iov_len = sizeof how};
        struct iovec there = {.iov_base = (void *)(uintptr_t)third, .iov_len = sizeof how};
        must(process_vm_readv(pid, &here, 1, &there, 1, 0) > 0, "openat2");
        third = how.flags;
    }
    status_of(pid, "CapPrm:\t", permitted);
    status_of(pid, "CapEff:\t", effective);
    status_of(pid, "\nUid:\t", uids);
    (void)snprintf(buf, size, "%s %s %s %s %" PRIu64 " %" PRIu64 " %" PRIu64, name, permitted,
                   effective, uids, (uint64_t)info->entry.args[0], (uint64_t)info->entry.args[1],
                   third);
}

struct watch {
    FILE *log;
    pid_t victim;
    unsigned kill_at, n;
    char line[512], path[256];
};

static void at_call(struct watch *watch, pid_t pid)
{
    struct __ptrace_syscall_info info = {0};
    must(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) > 0, "PTRACE_GET_SYSCALL_INFO");
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        watch->n++;
        if (watch->victim > 0 && watch->n == watch->kill_at)
            must(kill(watch->victim, SIGKILL) == 0, "kill");
        if (watch->log)
            describe(pid, &info, watch->line, sizeof watch->line, watch->path, sizeof watch->path);
        if (watch->log && info.entry.nr == SYS_exit_group)
            (void)fprintf(watch->log, "%s 0 -\n", watch->line);
    } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && watch->log) {
        (void)fprintf(watch->log, "%s %" PRId64 " %s\n", watch->line, (int64_t)info.exit.rval,
                      watch->path);
    }
}

/* @return exit status */
static int watch_program(struct watch *watch, pid_t pid)
{
    int status = 0;
    bool running = false; /* the program, rather than what comes before it */
    must(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status), "the child");
    must(ptrace(PTRACE_SETOPTIONS, pid, 0,
                PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) == 0,
         "PTRACE_SETOPTIONS");
    int signal_number = 0;
    for (;;) {
        must(ptrace(running ? PTRACE_SYSCALL : PTRACE_CONT, pid, 0, signal_number) == 0, "ptrace");
        must(waitpid(pid, &status, 0) == pid, "waitpid");
        if (WIFEXITED(status))
            return WEXITSTATUS(status);
        if (WIFSIGNALED(status))
            return 128 + WTERMSIG(status);
        signal_number = 0;
        if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            at_call(watch, pid);
        } else if (status >> 8 == (SIGTRAP | (PTRACE_EVENT_EXEC << 8))) {
            running = true;
            /* What is left of execve is its end. */
            must(ptrace(PTRACE_SYSCALL, pid, 0, 0) == 0 && waitpid(pid, &status, 0) == pid, "exec");
        } else {
            signal_number = WSTOPSIG(status);
        }
    }
}

int main(int argc, char **argv)
{
    struct watch watch = {.victim = -1};
    if (argc > 6 && strcmp(argv[1], "--kill") == 0) {
        watch.victim = (pid_t)number(argv[2]);
        watch.kill_at = number(argv[3]);
        argv += 2;
    } else {
        must(argc > 4, "usage: tracer LOG UID GID PROGRAM [ARGUMENT...]");
        watch.log = fopen(argv[1], "we");
        must(watch.log != NULL, argv[1]);
    }
    pid_t pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0)
        be_traced(number(argv[2]), number(argv[3]), argv + 4);
    int status = watch_program(&watch, pid);
    if (watch.log)
        must(fclose(watch.log) == 0, "the log");
    else
        printf("%u\n", watch.n);
    return status;
}
