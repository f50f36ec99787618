#include "lib/idmap/target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"

static bool whole_number(const char *word, int *ret)
{
    struct cursor c = cursor_of(word);
    uint64_t value = 0;
    if (!cursor_u64(&c, 10, INT_MAX, &value) || !cursor_done(&c))
        return false;
    *ret = (int)value;
    return true;
}

int idmap_target_parse(const char *word, struct idmap_target *ret, struct err *err)
{
    const char *number = str_after(word, "fd:");
    *ret = (struct idmap_target){.pid = -1, .fd = -1};
    if (number)
        return whole_number(number, &ret->fd)
                   ? 0
                   : err_set(err, EINVAL, "\"%s\" is not fd: and the number of an open fd", word);
    if (!whole_number(word, &ret->pid) || ret->pid == 0)
        return err_set(err, EINVAL, "\"%s\" is not a process id", word);
    return 0;
}

/* A directory that anyone can make up (FUSE, another procfs) must not pass for /proc/PID. */
static int check_proc(int fd, struct stat *st, struct err *err)
{
    struct statfs fs;
    struct stat proc;
    if (fstat(fd, st) < 0 || fstatfs(fd, &fs) < 0)
        return err_sys(err, errno, "Could not stat directory for target process");
    if (stat("/proc", &proc) < 0)
        return err_sys(err, errno, "cannot look at /proc");
    if (fs.f_type != PROC_SUPER_MAGIC || st->st_dev != proc.st_dev)
        return err_set(err, EINVAL, "the target fd is not on the proc file system of /proc");
    if (!S_ISDIR(st->st_mode))
        return err_set(err, ENOTDIR, "the target fd is not a directory of /proc");
    return 0;
}

int idmap_target_open(const struct idmap_target *target, uid_t *ret_uid, gid_t *ret_gid,
                      struct err *err)
{
    cleanup_close int opened = -EBADF;
    int fd = target->fd;
    if (fd < 0) {
        char path[32];
        if (str_format(path, sizeof path, "/proc/%d", target->pid) < 0)
            return err_set(err, ENAMETOOLONG, "pid %d is too long", target->pid);
        fd = opened = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
            return err_set(err, ENOENT,
                           "Could not open proc directory for target PID: there is no process %d, "
                           "or /proc hides it (hidepid)",
                           target->pid);
        if (fd < 0)
            return err_sys(err, errno, "Could not open proc directory for target PID %d",
                           target->pid);
    }
    struct stat st;
    int r = check_proc(fd, &st, err);
    if (r < 0)
        return r;
    *ret_uid = st.st_uid;
    *ret_gid = st.st_gid;
    (void)take_fd(&opened);
    return fd;
}

int idmap_target_file(int target_fd, const char *name, int flags)
{
    struct open_how how = {
        .flags = (unsigned)(flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
    };
    long fd = syscall(SYS_openat2, target_fd, name, &how, sizeof how);
    return fd < 0 ? -errno : (int)fd;
}
