#include "lib/base/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/fdflag.h"
#include "lib/base/file.h"
#include "lib/base/str.h"

extern char **environ;

int proc_find(const char *name, char *ret, size_t size)
{
    if (strchr(name, '/'))
        return access(name, X_OK) == 0 ? str_copy(ret, size, name) : -errno;
    const char *path = getenv("PATH");
    struct cursor c = cursor_of(path ? path : "/usr/local/bin:/usr/bin:/bin");
    for (;;) {
        const char *dir;
        size_t len;
        cursor_until(&c, ':', &dir, &len);
        struct stat st;
        if (len > 0 && str_format(ret, size, "%.*s/%s", (int)len, dir, name) > 0 &&
            access(ret, X_OK) == 0 && stat(ret, &st) == 0 && S_ISREG(st.st_mode))
            return 0;
        if (!cursor_char(&c, ':'))
            return -ENOENT;
    }
}

/* execve() makes every handler the default; what is ignored or blocked would stay so. SIGPIPE is
 * the one we ignore; one that our own caller ignored (nohup) is his wish. */
static void reset_signals(void)
{
    (void)signal(SIGPIPE, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int place_fd(int fd, int target)
{
    return fd == target ? fdflag_cloexec(fd, 0) : dup2(fd, target) < 0 ? -errno : 0;
}

#define PASS_FIRST 3
#define PASS_ABOVE 64 /* out of the way of every number that is about to be filled */

static int place_passed(const struct proc_spec *spec)
{
    int moved[PROC_PASS_MAX];
    if (spec->n_pass_fds > PROC_PASS_MAX)
        return -E2BIG;
    for (size_t i = 0; i < spec->n_pass_fds; i++) {
        moved[i] = fcntl(spec->pass_fds[i], F_DUPFD_CLOEXEC, PASS_ABOVE);
        if (moved[i] < 0)
            return -errno;
    }
    for (size_t i = 0; i < spec->n_pass_fds; i++)
        if (dup2(moved[i], PASS_FIRST + (int)i) < 0)
            return -errno;
    return 0;
}

static int place_all(const struct proc_spec *spec, int null)
{
    int r = place_fd(spec->stdin_fd > 0 ? spec->stdin_fd : null, STDIN_FILENO);
    if (r >= 0 && spec->stdout_fd > 0)
        r = place_fd(spec->stdout_fd, STDOUT_FILENO);
    if (r >= 0 && spec->stderr_fd > 0)
        r = place_fd(spec->stderr_fd, STDERR_FILENO);
    if (r >= 0 && close_range(PASS_FIRST, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        r = -errno;
    return r < 0 ? r : place_passed(spec);
}

struct start {
    const struct proc_spec *spec;
    const char *path;
    pid_t parent;
};

/* It gains capabilities there, which takes dumpability from the memory that is still ours, and a
 * parent-death signal from the process: one is put back, the other must be asked for later. */
static int join_userns(int fd)
{
    int dumpable = prctl(PR_GET_DUMPABLE);
    if (setns(fd, CLONE_NEWUSER) < 0)
        return -errno;
    (void)prctl(PR_SET_DUMPABLE, dumpable);
    return 0;
}

/* Runs in the new process: the named fds in their places, the rest close-on-exec, then exec. */
static int become(void *arg)
{
    const struct start *start = arg;
    const struct proc_spec *spec = start->spec;
    reset_signals();
    int r = spec->userns_fd > 0 ? join_userns(spec->userns_fd) : 0;
    if (r < 0)
        return r;
    if (spec->own_group)
        (void)setpgid(0, 0);
    if (spec->die_with_parent) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != start->parent)
            return -ESRCH;
    }
    r = place_all(spec, open("/dev/null", O_RDWR | O_CLOEXEC));
    if (r < 0)
        return r;
    execve(start->path, (char *const *)(size_t)spec->argv, spec->envp ? spec->envp : environ);
    return -errno;
}

/* NOLINTBEGIN(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork): the checks know
 * only a direct exec behind vfork(). */
pid_t proc_exec(int (*fn)(void *arg), void *arg)
{
    volatile int failure = 0; /* written by the new process, in our memory */
    pid_t pid = vfork();
    if (pid == 0) {
        failure = fn(arg);
        _exit(127);
    }
    if (pid < 0)
        return -errno;
    if (failure < 0)
        (void)proc_wait(pid);
    return failure < 0 ? failure : pid;
}
/* NOLINTEND(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork) */

pid_t proc_start(const struct proc_spec *spec, struct err *err)
{
    char path[4096];
    int r = proc_find(spec->argv[0], path, sizeof path);
    if (r < 0)
        return err_set(err, -r, "%s: not found or not executable%s", spec->argv[0],
                       strchr(spec->argv[0], '/') ? "" : " in $PATH");
    struct start start = {.spec = spec, .path = path, .parent = getpid()};
    pid_t pid = proc_exec(become, &start);
    return pid < 0 ? err_sys(err, -pid, "cannot execute %s", path) : pid;
}

int proc_wait(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return status;
}

int proc_run(const char *const *argv, char *out, size_t size, struct err *err)
{
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return err_sys(err, errno, "cannot make a pipe");
    cleanup_close int reader = pipe_fds[0];
    cleanup_close int writer = pipe_fds[1];
    struct proc_spec spec = {.argv = argv, .stdout_fd = writer, .stderr_fd = writer};
    pid_t pid = proc_start(&spec, err);
    if (pid < 0)
        return pid;
    writer = fd_close(writer);

    ssize_t n = file_read_full(reader, out, size - 1);
    out[n > 0 ? n : 0] = '\0';
    char rest[512];
    while (file_read_full(reader, rest, sizeof rest) > 0)
        ; /* let it finish; what does not fit is dropped */
    int status = proc_wait(pid);
    return status < 0 ? err_sys(err, -status, "cannot wait for %s", argv[0]) : status;
}

const char *proc_describe(int status, char *buf, size_t size)
{
    if (WIFSIGNALED(status)) {
        const char *text = strsignal(WTERMSIG(status));
        (void)snprintf(buf, size, "signal: %s", text);
        if (size > 8 && buf[8] >= 'A' && buf[8] <= 'Z')
            buf[8] = (char)(buf[8] - 'A' + 'a'); /* "signal: killed", as Go's tools print it */
    } else {
        (void)snprintf(buf, size, "exit status %d", WEXITSTATUS(status));
    }
    return buf;
}

/* The parent's pid in /proc/PID/stat; the command name before it may hold any byte but NUL. */
static pid_t parent_of(int proc_fd, const char *pid_name)
{
    char path[64], buf[1024];
    if (str_format(path, sizeof path, "%s/stat", pid_name) < 0 ||
        file_read_into(proc_fd, path, buf, sizeof buf, NULL) < 0)
        return -1;
    const char *p = strrchr(buf, ')');
    if (!p || strlen(p) < 5)
        return -1;
    struct cursor c = cursor_of(p + 4); /* ") S PPID ..." */
    uint64_t ppid = 0;
    return cursor_u64(&c, 10, INT32_MAX, &ppid) ? (pid_t)ppid : -1;
}

static bool in_our_userns(int proc_fd, const char *pid_name)
{
    char path[64], theirs[64] = "", ours[64] = "";
    if (str_format(path, sizeof path, "%s/ns/user", pid_name) < 0 ||
        readlinkat(proc_fd, path, theirs, sizeof theirs - 1) < 0 ||
        readlinkat(proc_fd, "self/ns/user", ours, sizeof ours - 1) < 0)
        return false; /* a zombie: reaping it is all there is to do */
    return str_equal(theirs, ours);
}

/* Kills and tries to reap one child. It cannot be recycled under us: only we can reap it. */
static unsigned end_child(int proc_fd, const char *pid_name, int other_userns)
{
    struct cursor c = cursor_of(pid_name);
    uint64_t pid = 0;
    if (!cursor_u64(&c, 10, INT32_MAX, &pid) || !cursor_done(&c) ||
        (other_userns && in_our_userns(proc_fd, pid_name)))
        return 0;
    (void)kill((pid_t)pid, SIGKILL);
    (void)waitpid((pid_t)pid, NULL, WNOHANG);
    return 1;
}

/* The kernel's own list, which saves reading all of /proc (CONFIG_PROC_CHILDREN, proc(5)). */
static int end_listed(int proc_fd, int other_userns)
{
    char list[16384];
    int found = 0;
    if (file_read_into(proc_fd, "thread-self/children", list, sizeof list, NULL) < 0)
        return -1;
    char *rest = list;
    for (char *name = strtok_r(rest, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
        found += (int)end_child(proc_fd, name, other_userns);
    return found;
}

static int end_scanned(int proc_fd, int other_userns)
{
    cleanup_close int fd = openat(proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        return 0;
    (void)take_fd(&fd);
    pid_t self = getpid();
    int found = 0;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        if (parent_of(proc_fd, entry->d_name) == self)
            found += (int)end_child(proc_fd, entry->d_name, other_userns);
    (void)closedir(dir);
    return found;
}

void proc_kill_family(int proc_fd, int other_userns)
{
    for (;;) {
        int found = end_listed(proc_fd, other_userns);
        if (found < 0)
            found = end_scanned(proc_fd, other_userns);
        if (found <= 0)
            return;
        struct timespec pause = {.tv_nsec = 1000 * 1000};
        (void)nanosleep(&pause, NULL);
    }
}

uint64_t proc_number(const char *text, const char *name, unsigned base)
{
    const char *found = strstr(text, name);
    struct cursor cursor = cursor_of(found ? found + strlen(name) : "");
    uint64_t number = 0;
    cursor_blanks(&cursor);
    (void)cursor_u64(&cursor, base, UINT32_MAX, &number);
    return number;
}
