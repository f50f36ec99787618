#include "rootless-setup/check/scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"

static int map_self(uid_t uid, gid_t gid, struct err *err)
{
    char uid_map[32], gid_map[32];
    (void)snprintf(uid_map, sizeof uid_map, "0 %u 1\n", uid);
    (void)snprintf(gid_map, sizeof gid_map, "0 %u 1\n", gid);
    int r = file_poke(AT_FDCWD, "/proc/self/setgroups", "deny", err);
    if (r < 0 && r != -ENOENT) /* Linux < 3.19 has no such file */
        return r;
    r = file_poke(AT_FDCWD, "/proc/self/uid_map", uid_map, err);
    return r < 0 ? r : file_poke(AT_FDCWD, "/proc/self/gid_map", gid_map, err);
}

int scratch_userns(int flags, enum scratch_step *ret_step, struct err *err)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    *ret_step = SCRATCH_CREATE;
    if (unshare(CLONE_NEWUSER) < 0)
        return err_sys(err, errno, "unshare(CLONE_NEWUSER)");
    *ret_step = SCRATCH_MAP;
    int r = map_self(uid, gid, err);
    if (r < 0)
        return r;
    *ret_step = SCRATCH_USE;
    if (flags != 0 && unshare(flags) < 0)
        return err_sys(err, errno, "unshare(2) inside the user namespace");
    if ((flags & CLONE_NEWNS) && mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        return err_sys(err, errno, "mount --make-rslave /");
    *ret_step = SCRATCH_DONE;
    return 0;
}

pid_t scratch_hold(int (*enter)(const void *arg), const void *arg)
{
    int ready[2], r = -EIO;
    pid_t self = getpid();
    if (pipe2(ready, O_CLOEXEC) < 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        r = enter(arg);
        (void)!write(ready[1], &r, sizeof r);
        fd_close(ready[1]);
        while (r == 0 && getppid() == self)
            (void)pause();
        _exit(0);
    }
    if (pid < 0)
        r = -errno;
    fd_close(ready[1]);
    if (pid > 0)
        (void)file_read_full(ready[0], &r, sizeof r);
    fd_close(ready[0]);
    if (r < 0)
        scratch_let_go(pid);
    return r < 0 ? r : pid;
}

void scratch_let_go(pid_t pid)
{
    if (pid <= 0)
        return;
    (void)kill(pid, SIGKILL);
    (void)proc_wait(pid);
}

int scratch_loopback_up(void)
{
    cleanup_close int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    return sock < 0 || ioctl(sock, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

/* Overlay leaves a directory of mode 0 behind; everything here belongs to us. */
static void remove_tree(int parent_fd, const char *name, int depth)
{
    if (unlinkat(parent_fd, name, 0) == 0 || unlinkat(parent_fd, name, AT_REMOVEDIR) == 0)
        return;
    if (depth == 0)
        return;
    (void)!fchmodat(parent_fd, name, 0700, 0);
    int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        fd_close(fd);
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            remove_tree(fd, entry->d_name, depth - 1);
    (void)closedir(dir);
    (void)unlinkat(parent_fd, name, AT_REMOVEDIR);
}

#define TREE_DEPTH 8

/* The watcher: makes the directory, says how that went, and removes it at end of file. */
static _Noreturn void watch(struct scratch_dir *dir, int life_fd, int answer_fd)
{
    (void)setsid();
    (void)prctl(PR_SET_PDEATHSIG, 0);
    int keep[] = {life_fd, answer_fd};
    fd_close_except(keep, 2);
    int r = mkdtemp(dir->path) ? 0 : -errno;
    (void)!write(answer_fd, &r, sizeof r);
    (void)!write(answer_fd, dir->path, sizeof dir->path);
    fd_close(answer_fd);
    char byte;
    while (r == 0 && read(life_fd, &byte, 1) < 0 && errno == EINTR)
        continue;
    if (r == 0)
        remove_tree(AT_FDCWD, dir->path, TREE_DEPTH);
    _exit(0);
}

int scratch_dir_make(const char *parent, struct scratch_dir *ret, struct err *err)
{
    int life[2], answer[2];
    if (str_format(ret->path, sizeof ret->path, "%s/.rootless-check-XXXXXX", parent) < 0)
        return err_set(err, ENAMETOOLONG, "%s is too long a path", parent);
    if (pipe2(life, O_CLOEXEC) < 0 || pipe2(answer, O_CLOEXEC) < 0)
        return err_sys(err, errno, "cannot make a pipe");
    ret->watcher = fork();
    if (ret->watcher == 0) {
        fd_close(life[1]);
        fd_close(answer[0]);
        watch(ret, life[0], answer[1]);
    }
    int r = ret->watcher < 0 ? -errno : -EIO;
    fd_close(life[0]);
    fd_close(answer[1]);
    ret->life_fd = life[1];
    if (ret->watcher > 0 && file_read_full(answer[0], &r, sizeof r) == (ssize_t)sizeof r && r == 0)
        (void)file_read_full(answer[0], ret->path, sizeof ret->path);
    fd_close(answer[0]);
    if (r == 0)
        return 0;
    scratch_dir_remove(ret);
    return err_sys(err, -r, "cannot make a directory in %s", parent);
}

void scratch_dir_remove(struct scratch_dir *dir)
{
    dir->life_fd = fd_close(dir->life_fd);
    if (dir->watcher > 0)
        (void)proc_wait(dir->watcher);
    dir->watcher = 0;
}
