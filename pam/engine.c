#include "pam/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/birth.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/keyring.h"
#include "lib/base/str.h"
#include "pam/cgroup.h"
#include "pam/helper.h"
#include "pam/subject.h"

#define PROGRAM ROOTLESS_BINDIR "/rootless-setup"
#define SEARCH ROOTLESS_BINDIR ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define OOM_FILE "/proc/self/oom_score_adj"
#define AFTER_KILL_MS 5000

/* What the new process needs to know. */
struct starting {
    const struct subject *subject;
    const char *name;
    const char *group;
};

/* ---- in the new process ---- */

static bool become_user(const struct subject *subject)
{
    uid_t real, effective, saved;
    return initgroups(subject->name, subject->gid) == 0 &&
           setresgid(subject->gid, subject->gid, subject->gid) == 0 &&
           setresuid(subject->uid, subject->uid, subject->uid) == 0 &&
           getresuid(&real, &effective, &saved) == 0 && real == subject->uid &&
           effective == subject->uid && saved == subject->uid;
}

/* sshd and others are spared when memory runs out; their users' engines are not to be. */
static void be_an_ordinary_victim(void)
{
    char text[16];
    if (file_read_into(AT_FDCWD, OOM_FILE, text, sizeof text, NULL) > 0 && text[0] == '-')
        (void)file_poke(AT_FDCWD, OOM_FILE, "0", NULL);
}

/* As the user; a home that is not there costs the log only. */
static void open_log(const struct starting *starting)
{
    static const char *const folders[] = {".local", ".local/state",
                                          ".local/state/rootless-toolkit"};
    char name[128];
    if (chdir(starting->subject->home) < 0)
        return;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        (void)mkdir(folders[i], 0700);
    (void)str_format(name, sizeof name, "%s/engine-%s.log", folders[2], starting->name);
    cleanup_close int fd =
        open(name, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd >= 0 && dup2(fd, STDOUT_FILENO) >= 0)
        (void)dup2(fd, STDERR_FILENO);
}

static void become_engine(void *arg)
{
    const struct starting *starting = arg;
    const struct subject *subject = starting->subject;
    static char home[PATH_MAX + 8], shell[PATH_MAX + 8], user[SUBJECT_NAME_MAX + 8],
        logname[SUBJECT_NAME_MAX + 8], runtime[SUBJECT_RUNTIME_MAX + 24], path[] = "PATH=" SEARCH;
    char *envp[] = {home, shell, user, logname, runtime, path, NULL};
    const char *argv[] = {PROGRAM, "launch", starting->name, NULL};
    (void)str_format(home, sizeof home, "HOME=%s", subject->home);
    (void)str_format(shell, sizeof shell, "SHELL=%s", subject->shell);
    (void)str_format(user, sizeof user, "USER=%s", subject->name);
    (void)str_format(logname, sizeof logname, "LOGNAME=%s", subject->name);
    (void)str_format(runtime, sizeof runtime, "XDG_RUNTIME_DIR=%s", subject->runtime);
    if (starting->group)
        (void)cgroup_enter(subject, starting->group, getpid(), NULL);
    be_an_ordinary_victim();
    /* The login's may hold root's keys, and is revoked with it (pam_keyinit(8)). */
    keyring_leave();
    if (!become_user(subject))
        return;
    keyring_link_user();
    open_log(starting);
    helper_restore();
    (void)execve(PROGRAM, (char *const *)(size_t)argv, envp);
    static const char failed[] = "cannot execute " PROGRAM "\n";
    (void)!write(STDERR_FILENO, failed, sizeof failed - 1);
}

/* ---- in the helper ---- */

int engine_start(const struct subject *subject, const char *name, const char *group,
                 struct state_process *ret, struct err *err)
{
    struct starting starting = {.subject = subject, .name = name, .group = group};
    if (access(PROGRAM, X_OK) < 0)
        return err_sys(err, errno, "cannot start %s with " PROGRAM, name);
    pid_t pid = helper_detach(become_engine, &starting);
    if (pid < 0)
        return err_sys(err, -pid, "cannot start %s", name);
    struct state_process process = {.pid = pid};
    int r = birth_of(pid, &process.birth);
    if (r < 0)
        return err_sys(err, -r, "cannot tell whether %s goes on: it is not stopped at logout",
                       name);
    *ret = process;
    return 0;
}

/* @return a pidfd, or -ESRCH when that process is gone */
static int hold(const struct state_process *process)
{
    uint64_t birth = 0;
    cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
    /* looked at once it is held: the number may be another's by now */
    if (pidfd < 0 || birth_of(process->pid, &birth) < 0 || birth != process->birth)
        return -ESRCH;
    return take_fd(&pidfd);
}

static int tell(int pidfd, int sig)
{
    return syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0 ? -ESRCH : 0;
}

int engine_stop(const struct state_process *process)
{
    cleanup_close int pidfd = hold(process);
    return pidfd < 0 ? pidfd : tell(pidfd, SIGTERM);
}

static bool ends_within(int pidfd, int ms)
{
    struct pollfd poller = {.fd = pidfd, .events = POLLIN};
    return poll(&poller, 1, ms) != 0;
}

void engine_await(const struct state_process *process, int limit_ms)
{
    cleanup_close int pidfd = hold(process);
    if (pidfd < 0 || ends_within(pidfd, limit_ms) || tell(pidfd, SIGKILL) < 0)
        return;
    (void)ends_within(pidfd, AFTER_KILL_MS);
}
