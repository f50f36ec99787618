#include "rootlesskit/handover/notice.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS /* Linux 6.6 */
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

void notice_tune(int listener)
{
    (void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
}

int notice_receive(int listener, struct notice *ret)
{
    struct seccomp_notif told = {0};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &told) < 0)
        return -errno;
    *ret = (struct notice){
        .listener = listener,
        .id = told.id,
        .task = (pid_t)told.pid,
        .call = told.data.nr,
        .fd = (int)told.data.args[0],
        .backlog = (int)told.data.args[1],
    };
    return 0;
}

/* A caller that is gone needs none. */
static void answer(const struct notice *notice, uint32_t flags)
{
    struct seccomp_notif_resp response = {.id = notice->id, .flags = flags};
    (void)ioctl(notice->listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

void notice_let_pass(const struct notice *notice)
{
    answer(notice, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

void notice_succeed(const struct notice *notice)
{
    answer(notice, 0);
}

/* A file of the caller's in /proc, which answers for threads too. */
static int read_about(const struct notice *notice, const char *name, char *text, size_t size)
{
    char path[64];
    int r = notice->task > 0 ? str_format(path, sizeof path, "/proc/%d/%s", (int)notice->task, name)
                             : -ESRCH; /* not visible from our PID namespace */
    return r < 0 ? r : file_read_into(AT_FDCWD, path, text, size, NULL);
}

/* Before Linux 6.9 a process can be opened by its first thread alone. */
static int open_process(const struct notice *notice)
{
    char status[4096];
    int fd = (int)syscall(SYS_pidfd_open, notice->task, 0);
    if (fd >= 0)
        return fd;
    int r = read_about(notice, "status", status, sizeof status);
    if (r < 0)
        return r;
    fd = (int)syscall(SYS_pidfd_open, (pid_t)proc_number(status, "\nTgid:", 10), 0);
    return fd < 0 ? -errno : fd;
}

int notice_borrow(const struct notice *notice)
{
    cleanup_close int process = open_process(notice);
    if (process < 0)
        return process;
    cleanup_close int fd = (int)syscall(SYS_pidfd_getfd, process, notice->fd, 0);
    if (fd < 0 || ioctl(notice->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &notice->id) < 0)
        return -errno;
    return take_fd(&fd);
}

int notice_replace(const struct notice *notice, int fd, bool cloexec)
{
    struct seccomp_notif_addfd place = {
        .id = notice->id,
        .flags = SECCOMP_ADDFD_FLAG_SETFD,
        .srcfd = (uint32_t)fd,
        .newfd = (uint32_t)notice->fd,
        .newfd_flags = cloexec ? O_CLOEXEC : 0,
    };
    return ioctl(notice->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &place) < 0 ? -errno : 0;
}

int notice_cloexec(const struct notice *notice, bool *ret)
{
    char name[32], info[1024];
    (void)str_format(name, sizeof name, "fdinfo/%d", notice->fd);
    int r = read_about(notice, name, info, sizeof info);
    if (r < 0)
        return r;
    *ret = (proc_number(info, "flags:", 8) & O_CLOEXEC) != 0;
    return 0;
}

bool notice_is_of(const struct notice *notice, const char *const *comms)
{
    char text[64];
    int n = read_about(notice, "comm", text, sizeof text);
    if (n <= 0 || text[n - 1] != '\n')
        return false;
    text[n - 1] = '\0';
    return str_index(comms, text) >= 0;
}
