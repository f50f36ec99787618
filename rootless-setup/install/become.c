#include "rootless-setup/install/become.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/proc.h"
#include "lib/cli/cli.h"
#include "rootless-setup/check/subject.h"

static _Noreturn void be_user(const struct check_subject *subject, int (*fn)(void *arg), void *arg,
                              pid_t parent)
{
    struct err err = {0};
    if (subject_become(subject, &err) < 0)
        exit(cli_fail(&err, CLI_FAILED));
    /* Behind the change of ids, which clears it. */
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        exit(CLI_FAILED);
    (void)umask(0022);
    if (chdir(subject->home) < 0 && chdir("/") < 0)
        exit(CLI_FAILED);
    int status = fn(arg);
    if (fflush(stdout) != 0)
        status = CLI_FAILED;
    exit(status);
}

int become_run(const struct check_subject *subject, int (*fn)(void *arg), void *arg,
               struct err *err)
{
    char how[64];
    if (!subject->switch_user)
        return fn(arg);
    (void)fflush(stdout);
    pid_t self = getpid();
    pid_t pid = fork();
    if (pid == 0)
        be_user(subject, fn, arg, self);
    int status = pid < 0 ? -errno : proc_wait(pid);
    if (status < 0)
        return err_sys(err, -status, "cannot start a process for user %s", subject->name);
    if (!WIFEXITED(status))
        return err_set(err, EIO, "the process for user %s: %s", subject->name,
                       proc_describe(status, how, sizeof how));
    return WEXITSTATUS(status);
}
