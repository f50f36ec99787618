#include "pam/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/single_threaded.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"

#define GRACE_MS 1000 /* for the end of one that was killed: it may sit in a system call */
#define POLL_MS 5

extern char **environ;

/* Limits that a user may have set in front of su or sudo, and that would cut our files short. */
static const __rlimit_resource_t lifted[] = {RLIMIT_FSIZE, RLIMIT_CPU, RLIMIT_AS, RLIMIT_DATA};
#define N_LIFTED (sizeof lifted / sizeof lifted[0])
static struct rlimit hosts[N_LIFTED]; /* written in the child only */

/* ---- within the child ---- */

static void reset_signals(void)
{
    sigset_t none;
    for (int sig = 1; sig < NSIG; sig++)
        (void)signal(sig, SIG_DFL);
    (void)signal(SIGPIPE, SIG_IGN);
    /* Where lift_limits() may not lift: an error of write(2), of which nothing is left. */
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
}

static void lift_limits(void)
{
    const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    for (size_t i = 0; i < N_LIFTED; i++)
        if (getrlimit(lifted[i], &hosts[i]) == 0)
            (void)setrlimit(lifted[i], &none);
}

/* What we make belongs to root alone, whoever started su. */
static bool become_root(void)
{
    return setresgid(0, 0, 0) == 0 && setgroups(0, NULL) == 0 && setresuid(0, 0, 0) == 0;
}

static bool become_helper(void)
{
    static char *no_environment[] = {NULL};
    environ = no_environment;
    reset_signals();
    (void)setsid(); /* no Ctrl-C of the user's terminal */
    (void)umask(022);
    (void)prctl(PR_SET_NAME, "pam_rootless");
    (void)prctl(PR_SET_DUMPABLE, 0);
    lift_limits();
    return become_root();
}

/* ---- making and awaiting it ---- */

/*
 * A copy of this process. With 0 as its signal of death it is no child in the eyes of SIGCHLD and
 * wait(-1). That is fork(2) without libc's part in it, which only matters among threads: there they
 * may hold libc's locks.
 */
static pid_t copy_process(void)
{
    if (!__libc_single_threaded)
        return fork();
    return (pid_t)syscall(SYS_clone, 0, 0, 0, 0, 0);
}

static void end_process(pid_t pid, int pidfd)
{
    if (pidfd < 0 || syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) < 0)
        (void)kill(pid, SIGKILL);
}

static void pause_for(int pidfd, int64_t ms)
{
    struct pollfd poller = {.fd = pidfd, .events = POLLIN};
    if (pidfd < 0 || ms > GRACE_MS) /* without the fd, or to look at the clock now and then */
        ms = pidfd < 0 ? POLL_MS : GRACE_MS;
    (void)poll(&poller, 1, ms > 0 ? (int)ms : 0);
}

/* @return 0 with the status, -ETIMEDOUT, or -errno; the child is reaped, by us or by the host */
static int await(pid_t pid, int pidfd, int64_t deadline, int *status)
{
    for (;;) {
        pid_t done = waitpid(pid, status, WNOHANG | __WALL);
        if (done == pid)
            return 0;
        if (done < 0 && errno != EINTR)
            return -errno;
        int64_t left = deadline - clock_ms();
        if (left <= 0)
            return -ETIMEDOUT;
        pause_for(pidfd, left);
    }
}

static int await_or_end(pid_t pid, unsigned limit_ms, struct err *err)
{
    int status = 0;
    cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    int r = await(pid, pidfd, clock_ms() + limit_ms, &status);
    if (r == -ETIMEDOUT) {
        end_process(pid, pidfd);
        (void)await(pid, pidfd, clock_ms() + GRACE_MS, &status);
        return err_set(err, ETIMEDOUT, "not done within %u s, given up", limit_ms / 1000);
    }
    if (r == -ECHILD) /* a host that reaps all its children itself */
        return 0;
    if (r < 0)
        return err_sys(err, -r, "cannot wait for the helper process");
    if (WIFSIGNALED(status))
        return err_set(err, ECHILD, "the helper process was ended by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status) == 0
               ? 0
               : err_set(err, EPERM, "the helper process could not become root");
}

int helper_run(helper_fn *fn, void *arg, unsigned limit_ms, struct err *err)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    /* Until the child has its own: a handler of the host's must not run in it. */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = copy_process();
    if (pid == 0) {
        if (!become_helper())
            _exit(1);
        fn(arg);
        _exit(0);
    }
    int code = errno;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        return err_sys(err, code, "cannot make a helper process");
    return await_or_end(pid, limit_ms, err);
}

pid_t helper_detach(helper_fn *fn, void *arg)
{
    pid_t pid = copy_process();
    if (pid != 0)
        return pid < 0 ? -errno : pid;
    (void)setsid();
    (void)!chdir("/");
    fd_close_from(0);
    (void)fd_fill_std();
    fn(arg);
    _exit(0);
}

void helper_restore(void)
{
    for (size_t i = 0; i < N_LIFTED; i++)
        (void)setrlimit(lifted[i], &hosts[i]);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGXFSZ, SIG_DFL);
}
