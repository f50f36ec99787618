#include "tests/integration/newuidmap/parity/run.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/fd.h"

#define TARGET_FD 9
#define FREE_FD 12
#define SECONDS_MAX 60

static void must(bool truth, const char *what)
{
    if (truth)
        return;
    printf("Bail out! %s: %s\n", what, strerror(errno));
    exit(1);
}

static void put(const char *path, const char *text, size_t len, mode_t mode)
{
    (void)unlink(path);
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    must(fd >= 0 && fchmod(fd, mode) == 0 && write(fd, text, len) == (ssize_t)len, path);
}

void run_users(void)
{
    FILE *passwd = fopen("/etc/passwd", "ae");
    must(passwd, "/etc/passwd");
    for (size_t i = 0; i < trial_n_users; i++) {
        const struct trial_user *user = &trial_users[i];
        if (!user->name || user->uid == 0)
            continue;
        (void)fprintf(passwd, "%s:x:%u:%u::/nonexistent:/bin/sh\n", user->name, user->uid,
                      user->gid);
        if (user->second)
            (void)fprintf(passwd, "%s:x:%u:%u::/nonexistent:/bin/sh\n", user->second, user->uid,
                          user->gid);
    }
    must(fclose(passwd) == 0, "/etc/passwd");
}

void run_files(const struct trial *trial)
{
    static const char files_only[] = "passwd: files\ngroup: files\n";
    char text[256];
    (void)snprintf(text, sizeof text, "%s%s", files_only, trial->nsswitch ? trial->nsswitch : "");
    put("/etc/nsswitch.conf", text, strlen(text), 0644);
    put("/etc/login.defs", trial->login_defs->text, strlen(trial->login_defs->text), 0644);
    /* The other kind's file gives everybody everything: it must not matter. */
    static const char other[] = "rltest-anna:0:4294967294\n47101:0:4294967294\n";
    put(trial->gid ? "/etc/subuid" : "/etc/subgid", other, sizeof other - 1, 0644);
    const char *path = trial->gid ? "/etc/subgid" : "/etc/subuid";
    put(path, trial->file, trial->file_len, trial->file_state == FILE_SECRET ? 0600 : 0644);
    if (trial->file_state == FILE_ABSENT)
        must(unlink(path) == 0, path);
    if (trial->file_state == FILE_LINK)
        must(rename(path, "/etc/subid.elsewhere") == 0 && symlink("subid.elsewhere", path) == 0,
             path);
}

/* In a child. */
static void become(uid_t uid, uid_t effective, gid_t gid)
{
    if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
        setresuid(uid, effective, effective) < 0)
        _exit(126);
}

static void wait_for_byte(int fd)
{
    char byte;
    if (read(fd, &byte, 1) != 1)
        _exit(126);
}

static _Noreturn void be_target(const struct trial *trial, int said, int heard)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    become(trial->target_user->uid, trial->target_user->uid, trial->target_gid);
    if (trial->target != TARGET_SAME && unshare(CLONE_NEWUSER) < 0)
        _exit(126);
    (void)prctl(PR_SET_DUMPABLE, 1);
    if (trial->target == TARGET_NESTED) {
        if (write(said, "", 1) != 1)
            _exit(126);
        wait_for_byte(heard);
        if (unshare(CLONE_NEWUSER) < 0)
            _exit(126);
        (void)prctl(PR_SET_DUMPABLE, 1);
    }
    (void)prctl(PR_SET_DUMPABLE, trial->dumpable ? 1 : 0);
    if (write(said, "", 1) != 1)
        _exit(126);
    for (;;)
        (void)pause();
}

static void poke(pid_t pid, const char *name, const char *text)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), path);
}

static void poke_ids(pid_t pid, unsigned uid, unsigned gid)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%u %u 1", uid, uid);
    poke(pid, "uid_map", text);
    (void)snprintf(text, sizeof text, "%u %u 1", gid, gid);
    poke(pid, "gid_map", text);
}

static pid_t start_target(const struct trial *trial)
{
    int said[2], heard[2];
    char byte;
    must(pipe2(said, O_CLOEXEC) == 0 && pipe2(heard, O_CLOEXEC) == 0, "pipe");
    pid_t pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0)
        be_target(trial, said[1], heard[0]);
    (void)close(said[1]);
    (void)close(heard[0]);
    must(read(said[0], &byte, 1) == 1, "the target");
    if (trial->target == TARGET_NESTED) {
        poke_ids(pid, trial->target_user->uid, trial->target_gid);
        must(write(heard[1], "", 1) == 1 && read(said[0], &byte, 1) == 1, "the nested target");
    }
    (void)close(said[0]);
    (void)close(heard[1]);
    if (trial->denied)
        poke(pid, "setgroups", "deny");
    if (trial->mapped) {
        poke(pid, "uid_map", "0 4000000 1");
        poke(pid, "gid_map", "0 4000000 1");
    }
    return pid;
}

static void end_target(pid_t pid)
{
    must(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid, "ending the target");
}

static void spell_target(const struct trial *trial, pid_t pid, char buf[32])
{
    static const char *const ways[] = {[SPELLED_PLUS] = "+%d",
                                       [SPELLED_BLANK] = " %d",
                                       [SPELLED_ZEROS] = "000%d",
                                       [SPELLED_JUNK] = "%dx",
                                       [SPELLED_NEGATIVE] = "-%d"};
    switch (trial->spelling) {
    case SPELLED_FD:
    case SPELLED_FD_OF_FILE:
        (void)snprintf(buf, 32, "fd:%d", TARGET_FD);
        return;
    case SPELLED_FD_CLOSED:
        (void)snprintf(buf, 32, "fd:%d", FREE_FD);
        return;
    case SPELLED_FD_BARE:
        (void)snprintf(buf, 32, "fd:");
        return;
    case SPELLED_ZERO:
        (void)snprintf(buf, 32, "0");
        return;
    case SPELLED_WIDE:
        (void)snprintf(buf, 32, "%llu", (unsigned long long)pid + (1ULL << 32));
        return;
    case SPELLED_PLAIN:
    case SPELLED_ABSENT:
        (void)snprintf(buf, 32, "%d", pid);
        return;
    case SPELLED_PLUS:
    case SPELLED_BLANK:
    case SPELLED_ZEROS:
    case SPELLED_JUNK:
    case SPELLED_NEGATIVE:
        break;
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(buf, 32, ways[trial->spelling], pid);
#pragma GCC diagnostic pop
}

static int open_target(const struct trial *trial, pid_t pid)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d%s", pid,
                   trial->spelling == SPELLED_FD_OF_FILE ? "/status" : "");
    return open(path, O_RDONLY);
}

static _Noreturn void exec_program(const struct trial *trial, const char *program, pid_t pid,
                                   int said)
{
    static char word[32], *argv[TRIAL_WORDS_MAX + 3], *envp[] = {NULL};
    bool fd_9 = trial->spelling == SPELLED_FD || trial->spelling == SPELLED_FD_OF_FILE;
    int target = fd_9 ? open_target(trial, pid) : -1;
    spell_target(trial, pid, word);
    argv[0] = strdup(trial->gid ? "newgidmap" : "newuidmap");
    argv[1] = trial->spelling == SPELLED_ABSENT ? NULL : word;
    for (size_t i = 0; i < trial->n_words && argv[1]; i++)
        argv[2 + i] = strdup(trial->words[i]);
    (void)alarm(SECONDS_MAX); /* a hang ends as a signal */
    uid_t effective = trial->mixed_ids ? 47199 : trial->user->uid;
    if (dup2(said, STDOUT_FILENO) < 0 || dup2(said, STDERR_FILENO) < 0 ||
        (fd_9 && dup2(target, TARGET_FD) < 0))
        _exit(126);
    become(trial->user->uid, effective, trial->caller_gid);
    (void)execve(program, argv, envp);
    _exit(127);
}

static void read_file(pid_t pid, const char *name, char *buf, size_t size)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t used = 0;
    ssize_t n = 1;
    must(fd >= 0, path);
    while (n > 0 && used < size - 1) {
        n = read(fd, buf + used, size - 1 - used);
        must(n >= 0, path);
        used += (size_t)n;
    }
    buf[used] = '\0';
}

static void look(const struct trial *trial, pid_t pid, struct model_outcome *ret)
{
    static char text[65536];
    read_file(pid, "setgroups", text, sizeof text);
    ret->denied = strcmp(text, "deny\n") == 0;
    read_file(pid, trial->gid ? "gid_map" : "uid_map", text, sizeof text);
    const char *line = text;
    for (ret->n = 0; *line && ret->n < MODEL_MAP_MAX; ret->n++) {
        struct model_extent *extent = &ret->map[ret->n];
        int used = 0;
        must(sscanf(line, "%lu %lu %lu\n%n", &extent->inside, &extent->outside, &extent->count,
                    &used) == 3,
             "a map that cannot be read");
        line += used;
    }
    model_sort(ret);
    /* The other map is none of its business. */
    read_file(pid, trial->gid ? "uid_map" : "gid_map", text, sizeof text);
    bool had_map = trial->mapped || trial->target == TARGET_SAME;
    if ((text[0] != '\0') != had_map)
        ret->status = 300;
}

void run_program(const struct trial *trial, const char *program, struct model_outcome *ret,
                 char said[RUN_SAID_MAX])
{
    static int output = -1;
    if (output < 0)
        output = memfd_create("said", MFD_CLOEXEC);
    must(output >= 0 && ftruncate(output, 0) == 0 && lseek(output, 0, SEEK_SET) == 0, "memfd");
    memset(ret, 0, sizeof *ret);
    pid_t target = start_target(trial);
    if (trial->target == TARGET_GONE)
        end_target(target);
    pid_t pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0)
        exec_program(trial, program, target, output);
    int status = 0;
    must(waitpid(pid, &status, 0) == pid, "waitpid");
    ret->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (trial->target == TARGET_GONE) {
        ret->denied = trial->denied;
    } else {
        look(trial, target, ret);
        end_target(target);
    }
    ssize_t n = pread(output, said, RUN_SAID_MAX - 1, 0);
    said[n > 0 ? n : 0] = '\0';
}
