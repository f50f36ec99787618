#include "lib/idmap/nss.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/idmap/privilege.h"

/* See the header: only a program that the caller cannot read is safe from the caller. */
static int check_helper(int fd, const char *path, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_sys(err, errno, "cannot look at %s", path);
    if (!S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & 07777) != 0711)
        return err_set(err, EPERM,
                       "%s must be a file of root's with mode 0711: it is uid %u's with mode %04o",
                       path, st.st_uid, st.st_mode & 07777);

    /* fs.suid_dumpable=1 makes unreadable programs traceable after all. */
    char dumpable = '1';
    cleanup_close int sysctl = open("/proc/sys/fs/suid_dumpable", O_RDONLY | O_CLOEXEC);
    if (sysctl < 0 || read(sysctl, &dumpable, 1) < 1)
        return err_sys(err, errno, "cannot read the sysctl fs.suid_dumpable");
    if (dumpable == '1')
        return err_set(
            err, EPERM,
            "the sysctl fs.suid_dumpable is 1, which lets users into %s; set it to 0 or 2", path);
    return 0;
}

static _Noreturn void run_helper(int fd, int answer, char *const *argv)
{
    static char *const envp[] = {NULL};
    int null = open("/dev/null", O_RDWR);
    if (null < 0 || idmap_drop() < 0 || chdir("/") < 0)
        _exit(IDMAP_NSS_FAILED);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (dup2(null, STDIN_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0 ||
        dup2(answer, STDOUT_FILENO) < 0)
        _exit(IDMAP_NSS_FAILED);
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    fd_close_except(&fd, 1);
    (void)fexecve(fd, argv, envp);
    _exit(IDMAP_NSS_FAILED);
}

/* Until end of file: the helper ends by itself, and its end is the end of its answer. */
static int read_answer(int fd, char *buf, size_t size, struct err *err)
{
    int64_t deadline = clock_ms() + IDMAP_NSS_TIMEOUT_MS;
    size_t used = 0;
    while (used < size) {
        int64_t left = deadline - clock_ms();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int ready = poll(&p, 1, left > 0 ? (int)left : 0);
        if (ready == 0)
            return err_set(err, ETIMEDOUT, "the name services did not answer within %d seconds",
                           IDMAP_NSS_TIMEOUT_MS / 1000);
        ssize_t n = ready < 0 ? -1 : read(fd, buf + used, size - used);
        if (n < 0 && errno != EINTR)
            return err_sys(err, errno, "cannot read the name services' answer");
        if (n == 0)
            return (int)used;
        used += n > 0 ? (size_t)n : 0;
    }
    return err_set(err, EMSGSIZE, "the name services' answer is longer than %zu bytes", size);
}

/* @return length of the answer; -ENODATA: no such entry; -ENOENT: no helper; -errno else */
static int ask(const char *const *question, char ret[IDMAP_NSS_LINE_MAX], struct err *err)
{
    cleanup_close int fd = open(IDMAP_NSS_HELPER, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, errno, "cannot open %s", IDMAP_NSS_HELPER);
    int r = check_helper(fd, IDMAP_NSS_HELPER, err);
    if (r < 0)
        return r;

    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys(err, errno, "cannot make a pipe");
    cleanup_close int reading = ends[0];
    cleanup_close int writing = ends[1];
    pid_t child = fork();
    if (child < 0)
        return err_sys(err, errno, "cannot start %s", IDMAP_NSS_HELPER);
    if (child == 0)
        run_helper(fd, writing, (char *const *)(uintptr_t)question);
    writing = fd_close(writing);

    int len = read_answer(reading, ret, IDMAP_NSS_LINE_MAX, err);
    (void)kill(child, SIGKILL); /* it has closed its stdout, or it hangs */
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return err_sys(err, errno, "cannot wait for %s", IDMAP_NSS_HELPER);
    if (len < 0)
        return len;
    if (WIFEXITED(status) && WEXITSTATUS(status) == IDMAP_NSS_ABSENT)
        return -ENODATA;
    if (len == 0 || !WIFEXITED(status) || WEXITSTATUS(status) != IDMAP_NSS_FOUND)
        return err_set(err, EIO, "%.*s", len, ret);
    return len;
}

int idmap_nss_passwd(uid_t uid, char ret[IDMAP_NSS_LINE_MAX], struct err *err)
{
    char word[16];
    const char *const question[] = {"rootless-nss", IDMAP_NSS_PASSWD, word, NULL};
    (void)str_format(word, sizeof word, "%u", uid);
    int r = ask(question, ret, err);
    if (r == -EIO)
        return err_set(err, EIO, "the name services failed to answer for uid %u", uid);
    return r == -ENODATA || r == -ENOENT ? 0 : r;
}

int idmap_nss_covers(const char *source, enum subid_kind kind, const char *owner, const char *map,
                     char ret[IDMAP_NSS_LINE_MAX], struct err *err)
{
    const char *const question[] = {"rootless-nss",
                                    IDMAP_NSS_COVERS,
                                    source,
                                    kind == SUBID_UID ? "uid" : "gid",
                                    owner,
                                    map,
                                    NULL};
    int r = ask(question, ret, err);
    return r < 0 ? err_wrap(err, r, "the ranges of this host come from \"subid: %s\"", source) : r;
}
