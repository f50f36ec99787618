#include "rootless-setup/check/run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/proc.h"

void check_add_needs(bool wanted[PROBES_MAX])
{
    /* Needs stand earlier in the table, so one pass from the end finds them all. */
    for (size_t i = check_probes_count; i-- > 0;)
        for (size_t n = 0; wanted[i] && n < PROBE_NEEDS_MAX && check_probes[i].needs[n]; n++)
            wanted[check_probe_index(check_probes[i].needs[n])] = true;
}

void check_select(enum check_engine engine, bool ret_wanted[PROBES_MAX])
{
    for (size_t i = 0; i < PROBES_MAX; i++)
        ret_wanted[i] = i < check_probes_count && check_probe_concerns(&check_probes[i], engine);
    check_add_needs(ret_wanted);
}

/* A probe's process while it runs. */
struct job {
    pid_t pid; /* 0: not running */
    int pidfd;
    int64_t deadline;
    struct check_result *shared; /* with that process alone, which is the user's */
    bool done;
};

struct run {
    const struct check_context *context;
    struct check_result *results;
    struct job jobs[PROBES_MAX];
    bool orphans; /* a probe ended otherwise than it should, maybe leaving children to us */
};

enum readiness { READY, NOT_YET, NEVER };

static enum readiness readiness(const struct run *run, size_t probe, int *ret_need)
{
    enum readiness ready = READY;
    for (size_t n = 0; n < PROBE_NEEDS_MAX && check_probes[probe].needs[n]; n++) {
        *ret_need = check_probe_index(check_probes[probe].needs[n]);
        if (!run->jobs[*ret_need].done)
            ready = NOT_YET;
        else if (run->results[*ret_need].status >= CHECK_FAILED)
            return NEVER;
    }
    return ready;
}

static _Noreturn void be_probe(const struct check_context *context, const struct check_probe *probe,
                               struct check_result *result, pid_t parent)
{
    struct err err = {0};
    if (subject_become(&context->subject, &err) < 0) {
        check_say(result, CHECK_FAILED, "%s", err.msg);
        _exit(1);
    }
    /* Behind the change of ids, which clears it. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    if (chdir("/") < 0) {
        check_say_errno(result, CHECK_FAILED, errno, "entering / as %s", context->subject.name);
        check_cause(result, "the root directory is closed to this user");
        _exit(1);
    }
    probe->run(context, result);
    _exit(0);
}

/* What a killed probe left running is ours, since we are its subreaper: a scratch directory's
 * watcher gets the time to clean up, all else is ended. */
static void reap_orphans(void)
{
    const struct timespec pause = {.tv_nsec = 10L * 1000000};
    for (int i = 0; i < 20; i++) {
        while (waitpid(-1, NULL, WNOHANG) > 0)
            continue;
        if (waitpid(-1, NULL, WNOHANG) < 0)
            return;
        (void)nanosleep(&pause, NULL);
    }
    cleanup_close int proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (proc_fd >= 0)
        proc_kill_family(proc_fd, 0);
}

static struct check_result *map_results(size_t n, int flags)
{
    void *map = mmap(NULL, n * sizeof(struct check_result), PROT_READ | PROT_WRITE,
                     flags | MAP_ANONYMOUS, -1, 0);
    return map == MAP_FAILED ? NULL : map;
}

/* Whoever runs as the user can be changed by him while it runs (ptrace(2)): what it shares with us
 * is its own result, which the processes after it do not inherit, and which is looked at when it
 * has ended. @return pid or -errno */
static pid_t fork_probe(const struct run *run, size_t probe, struct job *job)
{
    pid_t self = getpid();
    job->shared = map_results(1, MAP_SHARED);
    pid_t pid = job->shared ? fork() : -1;
    if (pid == 0)
        be_probe(run->context, &check_probes[probe], job->shared, self);
    int code = errno;
    if (job->shared)
        (void)madvise(job->shared, sizeof *job->shared, MADV_DONTFORK);
    return pid < 0 ? -code : pid;
}

static void drop_shared(struct job *job)
{
    if (job->shared)
        (void)munmap(job->shared, sizeof *job->shared);
    job->shared = NULL;
}

static void start(struct run *run, size_t probe)
{
    struct check_result *result = &run->results[probe];
    struct job *job = &run->jobs[probe];
    pid_t pid = fork_probe(run, probe, job);
    if (pid < 0)
        errno = -pid;
    int pidfd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        check_say_errno(result, CHECK_FAILED, errno, "cannot start the probe");
        if (pid > 0) {
            (void)kill(pid, SIGKILL);
            (void)proc_wait(pid);
        }
        drop_shared(job);
        job->done = true;
        return;
    }
    job->pid = pid;
    job->pidfd = pidfd;
    job->deadline = clock_ms() + CHECK_TIMEOUT_MS;
}

static void finish(struct run *run, size_t probe, bool late)
{
    struct check_result *result = &run->results[probe];
    struct job *job = &run->jobs[probe];
    if (late)
        (void)kill(job->pid, SIGKILL);
    int status = proc_wait(job->pid);
    check_take(result, job->shared);
    drop_shared(job);
    job->pidfd = fd_close(job->pidfd);
    job->pid = 0;
    job->done = true;
    run->orphans |= late || status != 0;
    char how[64];
    if (late) {
        check_say(result, CHECK_FAILED, "no answer within %d seconds", CHECK_TIMEOUT_MS / 1000);
        check_cause(result, "what it tries hangs: a program in $PATH, a network file system or a "
                            "directory service, or this machine is very busy");
        check_remedy(result, REMEDY_NOTE,
                     "try it alone: rootless-setup check %s; meanwhile, ps -fu USER in another "
                     "shell shows what hangs",
                     check_probes[probe].id);
    } else if (result->status == CHECK_UNFINISHED)
        check_say(result, CHECK_FAILED, "the probe ended without an answer (%s)",
                  proc_describe(status, how, sizeof how));
}

/* Starts what can start and marks what never will. @return true when something changed */
static bool advance(struct run *run)
{
    bool changed = false;
    for (size_t i = 0; i < check_probes_count; i++) {
        int need = 0;
        if (run->jobs[i].done || run->jobs[i].pid > 0)
            continue;
        enum readiness ready = readiness(run, i, &need);
        if (ready == NOT_YET)
            continue;
        changed = true;
        if (ready == READY) {
            start(run, i);
            continue;
        }
        check_say(&run->results[i], CHECK_SKIPPED, "not tried: it needs %s, which %s",
                  check_probes[need].id,
                  run->results[need].status == CHECK_SKIPPED ? "was not tried" : "failed");
        run->jobs[i].done = true;
    }
    return changed;
}

/* Waits until a probe ends or is late. @return false when none is running */
static bool wait_for_some(struct run *run)
{
    struct pollfd fds[PROBES_MAX];
    size_t probes[PROBES_MAX];
    nfds_t n = 0;
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < check_probes_count; i++) {
        if (run->jobs[i].pid == 0)
            continue;
        probes[n] = i;
        fds[n++] = (struct pollfd){.fd = run->jobs[i].pidfd, .events = POLLIN};
        if (run->jobs[i].deadline < first)
            first = run->jobs[i].deadline;
    }
    if (n == 0)
        return false;
    int64_t left = first - clock_ms();
    if (poll(fds, n, left > 0 ? (int)left : 0) < 0)
        return true;
    int64_t now = clock_ms();
    for (nfds_t i = 0; i < n; i++)
        if (fds[i].revents != 0 || now >= run->jobs[probes[i]].deadline)
            finish(run, probes[i], fds[i].revents == 0);
    return true;
}

int check_run(const struct check_context *context, const bool wanted[PROBES_MAX],
              const struct check_result **ret, struct err *err)
{
    struct run run = {.context = context};
    run.results = map_results(PROBES_MAX, MAP_PRIVATE);
    if (!run.results)
        return err_sys(err, errno, "cannot allocate the results");
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        return err_sys(err, errno, "cannot become a subreaper");
    for (size_t i = 0; i < check_probes_count; i++)
        run.jobs[i].done = !wanted[i];
    while (advance(&run) || wait_for_some(&run))
        continue;
    if (run.orphans)
        reap_orphans();
    *ret = run.results;
    return 0;
}
