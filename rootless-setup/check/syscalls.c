/* System calls that engines and runtimes make and that a seccomp filter around us may refuse: each
 * is called so that it does nothing, and has to be turned down by the kernel itself. */
#include <errno.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/proc.h"
#include "rootless-setup/check/explain.h"
#include "rootless-setup/check/probe.h"

/* Arguments that no kernel accepts: a filter answers EPERM, or kills, before it looks at them. */
#define NO_FD ((long)-1)
#define NO_FLAGS ((long)0x7fffffff)

static const struct {
    const char *name;
    long number, args[4];
    bool vital; /* no container without it */
} calls[] = {
    {"mount", SYS_mount, {0, 0, 0, NO_FLAGS}, true},
    {"umount2", SYS_umount2, {0, NO_FLAGS}, true},
    {"pivot_root", SYS_pivot_root, {0, 0}, true},
    {"setns", SYS_setns, {NO_FD, 0}, true},
    {"unshare", SYS_unshare, {NO_FLAGS}, true},
    {"sethostname", SYS_sethostname, {0, NO_FD}, true},
    {"setresuid", SYS_setresuid, {NO_FD, NO_FD, NO_FD}, true},
    {"seccomp", SYS_seccomp, {NO_FLAGS, 0, 0}, false},
    {"keyctl", SYS_keyctl, {NO_FLAGS}, false},
    {"clone3", SYS_clone3, {0, 0}, false},
    {"openat2", SYS_openat2, {NO_FD, 0, 0, 0}, false},
    {"faccessat2", SYS_faccessat2, {NO_FD, 0, 0, NO_FLAGS}, false},
    {"close_range", SYS_close_range, {1, 0, 0}, false},
    {"pidfd_open", SYS_pidfd_open, {NO_FD, 0}, false},
    {"memfd_create", SYS_memfd_create, {0, NO_FLAGS}, false},
    {"name_to_handle_at", SYS_name_to_handle_at, {NO_FD, 0, 0, 0}, false},
    {"fsopen", SYS_fsopen, {0, NO_FLAGS}, false},
    {"open_tree", SYS_open_tree, {NO_FD, 0, NO_FLAGS}, false},
    {"move_mount", SYS_move_mount, {NO_FD, 0, NO_FD, 0}, false},
    {"mount_setattr", SYS_mount_setattr, {NO_FD, 0, NO_FLAGS, 0}, false},
};
#define N_CALLS (sizeof calls / sizeof calls[0])

/* What each gave, in memory that outlives a process that a filter killed. */
struct tally {
    size_t next;
    int codes[N_CALLS];
};

/* In a user and mount namespace, so that the kernel itself refuses nothing for want of a right. */
static _Noreturn void call_rest(struct tally *tally)
{
    struct err err = {0};
    enum scratch_step step;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (scratch_userns(CLONE_NEWNS | CLONE_NEWUTS, &step, &err) < 0)
        _exit(1);
    while (tally->next < N_CALLS) {
        size_t i = tally->next++;
        tally->codes[i] = EACCES; /* stays when we are killed in it */
        const long *a = calls[i].args;
        tally->codes[i] = syscall(calls[i].number, a[0], a[1], a[2], a[3]) < 0 ? errno : 0;
    }
    _exit(0);
}

static bool refused(int code)
{
    return code == EPERM || code == EACCES;
}

static void say(const struct check_context *context, const struct tally *tally,
                struct check_result *result)
{
    char names[256] = "";
    enum check_status status = CHECK_OK;
    int code = 0;
    for (size_t i = 0; i < N_CALLS; i++) {
        if (!refused(tally->codes[i]))
            continue;
        size_t used = strlen(names);
        (void)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", calls[i].name);
        status = check_worse(status, calls[i].vital ? CHECK_FAILED : CHECK_WARNING);
        code = code != 0 ? code : tally->codes[i];
    }
    if (status == CHECK_OK) {
        check_say(result, CHECK_OK, "tried %zu that engines make; none is filtered", N_CALLS);
        return;
    }
    check_say_errno(result, status, code, "refused: %s", names);
    check_cause(result,
                "a seccomp filter is on this process%s and answers for the kernel; programs that "
                "would fall back on an older call (ENOSYS) give up on EPERM",
                context->facts.container[0] ? ", that of the outer container," : "");
    check_remedy(result, REMEDY_NOTE,
                 "in a container: start it with --security-opt seccomp=unconfined, or update the "
                 "outer engine; in a service: take its SystemCallFilter= away");
}

void probe_syscalls(const struct check_context *context, struct check_result *result)
{
    struct tally *tally =
        mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (tally == MAP_FAILED) {
        check_say_errno(result, CHECK_FAILED, errno, "making room for the results");
        return;
    }
    /* A filter may kill instead of answering; then the next process goes on behind that call. */
    for (size_t before = 0;; before = tally->next) {
        pid_t pid = fork();
        if (pid == 0)
            call_rest(tally);
        int status = pid < 0 ? -errno : proc_wait(pid);
        if (tally->next == N_CALLS)
            break;
        if (status < 0 || WIFEXITED(status) || tally->next == before) {
            check_say(result, CHECK_FAILED, "a process in a user namespace could not try them");
            return;
        }
    }
    say(context, tally, result);
}
