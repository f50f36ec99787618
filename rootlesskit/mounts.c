#include "rootlesskit/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"

int mounts_propagate(const char *mode, struct err *err)
{
    static const struct {
        const char *mode;
        unsigned long flags;
    } table[] = {
        {"private", MS_PRIVATE}, {"rprivate", MS_REC | MS_PRIVATE},
        {"shared", MS_SHARED},   {"rshared", MS_REC | MS_SHARED},
        {"slave", MS_SLAVE},     {"rslave", MS_REC | MS_SLAVE},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (!str_equal(table[i].mode, mode))
            continue;
        if (mount("none", "/", NULL, table[i].flags, NULL) < 0)
            return err_sys(err, errno, "cannot set mount propagation to %s", mode);
        return 0;
    }
    return err_set(err, EINVAL, "unknown mount propagation %s", mode);
}

/* Read-write, else read-only: a read-only outer mount may be repeated only as such
 * (mount_namespaces(7)). */
static int mount_virtual(const char *type, const char *path)
{
    unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    if (mount(type, path, type, flags, NULL) == 0 ||
        mount(type, path, type, flags | MS_RDONLY, NULL) == 0)
        return 0;
    return -errno;
}

int mounts_proc(struct err *err)
{
    int r = mount_virtual("proc", "/proc");
    if (r < 0)
        return err_sys(err, -r,
                       "cannot mount /proc of the new PID namespace (a container that hides parts "
                       "of /proc forbids it)");
    return 0;
}

int mounts_sys(struct err *err)
{
    cleanup_close int cgroup_fd = (int)syscall(SYS_open_tree, AT_FDCWD, "/sys/fs/cgroup",
                                               OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    int r = mount_virtual("sysfs", "/sys");
    if (r < 0)
        return err_sys(err, -r, "cannot mount /sys of the new network namespace");
    if (cgroup_fd >= 0 && syscall(SYS_move_mount, cgroup_fd, "", AT_FDCWD, "/sys/fs/cgroup",
                                  MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return err_sys(err, errno, "cannot put /sys/fs/cgroup back");
    return 0;
}

static int replace_link(const char *path, struct err *err)
{
    if (unlink(path) < 0 && errno != ENOENT)
        return err_sys(err, errno, "cannot replace %s", path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return err_sys(err, errno, "cannot create %s", path);
    fd_close(fd);
    return 0;
}

int mounts_file(int fd, const char *path, struct err *err)
{
    char above[PATH_MAX], source[64];
    if (str_format(above, sizeof above, "%.*s", (int)(strrchr(path, '/') - path), path) < 0)
        return err_set(err, ENAMETOOLONG, "%s is too long", path);
    struct statfs fs;
    struct stat st;
    bool link = lstat(path, &st) < 0 || S_ISLNK(st.st_mode);
    if (link && statfs(above, &fs) == 0 && fs.f_type == TMPFS_MAGIC) {
        int r = replace_link(path, err);
        if (r < 0)
            return r;
    }
    (void)str_format(source, sizeof source, "/proc/self/fd/%d", fd);
    if (mount(source, path, NULL, MS_BIND, NULL) < 0)
        return err_sys(err, errno, "cannot mount over %s", path);
    return 0;
}
