/*
 * Ends a command, or lets one of its system calls fail, at a place chosen by number.
 *
 *     crash kill N COMMAND [ARG]...          SIGKILL at the entry of its N-th system call
 *     crash fail N ERRNO COMMAND [ARG]...    the N-th does nothing and returns -ERRNO
 *
 * Calls are counted from 1, beginning with the close_range(2) that every program of ours begins
 * with: what the dynamic loader does before is not ours to keep safe. The status is the command's;
 * REACHED_NOT when it had no N-th call, KILLED when it was killed as wanted, CANNOT_FAIL when the
 * N-th call is one that has no error.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/parse.h"

enum { KILLED = 120, REACHED_NOT = 121, CANNOT_FAIL = 122, BROKEN = 123 };

struct order {
    bool kills;
    uint32_t n;
    uint32_t code;
};

static int broken(const char *what)
{
    (void)fprintf(stderr, "crash: %s: %s\n", what, strerror(errno));
    return BROKEN;
}

static pid_t start(char **argv)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 && raise(SIGSTOP) == 0)
        (void)execvp(argv[0], argv);
    _exit(broken(argv[0]));
}

static bool has_no_error(uint64_t nr)
{
    /* brk(2) as the kernel has it returns where the heap ends */
    static const long calls[] = {SYS_brk,     SYS_getpid, SYS_getuid, SYS_geteuid,    SYS_getgid,
                                 SYS_getegid, SYS_umask,  SYS_gettid, SYS_exit_group, SYS_exit};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (nr == (uint64_t)calls[i])
            return true;
    return false;
}

#if defined(__x86_64__)
static int set_number(pid_t pid, long nr)
{
    struct user_regs_struct regs;
    if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0)
        return -1;
    regs.orig_rax = (unsigned long long)nr;
    return (int)ptrace(PTRACE_SETREGS, pid, NULL, &regs);
}

static int set_result(pid_t pid, long result)
{
    struct user_regs_struct regs;
    if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0)
        return -1;
    regs.rax = (unsigned long long)result;
    return (int)ptrace(PTRACE_SETREGS, pid, NULL, &regs);
}
#elif defined(__aarch64__)
static int set_number(pid_t pid, long nr)
{
    int number = (int)nr;
    struct iovec v = {.iov_base = &number, .iov_len = sizeof number};
    return (int)ptrace(PTRACE_SETREGSET, pid, 0x404 /* NT_ARM_SYSTEM_CALL */, &v);
}

static int set_result(pid_t pid, long result)
{
    struct user_regs_struct regs;
    struct iovec v = {.iov_base = &regs, .iov_len = sizeof regs};
    if (ptrace(PTRACE_GETREGSET, pid, 1 /* NT_PRSTATUS */, &v) < 0)
        return -1;
    regs.regs[0] = (unsigned long long)result;
    return (int)ptrace(PTRACE_SETREGSET, pid, 1, &v);
}
#else
#error "no way to change a system call on this processor"
#endif

/* Goes on to the next stop. @return its wait status */
static int next_stop(pid_t pid, int deliver)
{
    int status = 0;
    if (ptrace(PTRACE_SYSCALL, pid, NULL, deliver) < 0 || waitpid(pid, &status, 0) != pid)
        exit(broken("ptrace"));
    return status;
}

static bool is_entry(pid_t pid, uint64_t *ret_nr)
{
    struct __ptrace_syscall_info info;
    long n = ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info);
    if (n < 0)
        exit(broken("PTRACE_GET_SYSCALL_INFO"));
    *ret_nr = info.entry.nr;
    return info.op == PTRACE_SYSCALL_INFO_ENTRY;
}

static int end_now(pid_t pid)
{
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    return KILLED;
}

/* At the entry of the call that is to fail. @return 0, or the status to end with */
static int fail_call(pid_t pid, uint64_t nr, const struct order *order)
{
    if (has_no_error(nr)) {
        (void)end_now(pid);
        return CANNOT_FAIL;
    }
    if (set_number(pid, -1) < 0)
        return broken("changing the call");
    int status = next_stop(pid, 0);
    if (!WIFSTOPPED(status) || set_result(pid, -(long)order->code) < 0)
        return broken("changing the result");
    return 0;
}

static int watch(pid_t pid, const struct order *order)
{
    uint32_t n = 0;
    bool running = false, done = false;
    int status = 0, deliver = 0;
    if (waitpid(pid, &status, 0) != pid ||
        ptrace(PTRACE_SETOPTIONS, pid, NULL,
               PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL) < 0)
        return broken("ptrace");
    for (;;) {
        status = next_stop(pid, deliver);
        deliver = 0;
        if (WIFEXITED(status))
            return done ? WEXITSTATUS(status) : REACHED_NOT;
        if (WIFSIGNALED(status))
            return done ? 128 + WTERMSIG(status) : REACHED_NOT;
        uint64_t nr = 0;
        if (status >> 8 == (SIGTRAP | (PTRACE_EVENT_EXEC << 8)))
            continue;
        if (WSTOPSIG(status) != (SIGTRAP | 0x80)) {
            deliver = WSTOPSIG(status);
            continue;
        }
        bool entry = is_entry(pid, &nr);
        running = running || (entry && nr == SYS_close_range);
        if (running && entry && ++n == order->n) {
            int r = order->kills ? end_now(pid) : fail_call(pid, nr, order);
            if (r != 0)
                return r;
            done = true;
        }
    }
}

int main(int argc, char **argv)
{
    struct order order = {.kills = argc > 1 && strcmp(argv[1], "kill") == 0};
    int first = order.kills ? 3 : 4;
    if (argc <= first || parse_u32("N", argv[2], 1, UINT32_MAX, &order.n, NULL) < 0 ||
        (!order.kills && parse_u32("ERRNO", argv[3], 1, 4095, &order.code, NULL) < 0)) {
        (void)fprintf(stderr, "usage: crash kill N COMMAND... | crash fail N ERRNO COMMAND...\n");
        return BROKEN;
    }
    pid_t pid = start(argv + first);
    return pid < 0 ? broken("fork") : watch(pid, &order);
}
