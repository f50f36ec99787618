#include "pam/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"

static int open_folder(int dir_fd, const char *path, unsigned long long resolve)
{
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | resolve};
    long fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof how);
    return fd < 0 ? -errno : (int)fd;
}

int folder_open(const char *path)
{
    return open_folder(AT_FDCWD, path, 0);
}

int folder_open_in(int dir_fd, const char *name, int same_mount)
{
    return open_folder(dir_fd, name, RESOLVE_BENEATH | (same_mount ? RESOLVE_NO_XDEV : 0));
}

int folder_check_root(int fd, const char *path, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_sys(err, errno, "cannot look at %s", path);
    if (st.st_uid != 0 || st.st_mode & 0022)
        return err_set(err, EPERM,
                       "%s has owner %u and mode %04o, others than root could have put something "
                       "there: not used; give it back to root (chown root, chmod go-w)",
                       path, st.st_uid, st.st_mode & 07777);
    return 0;
}

int folder_make_root(int dir_fd, const char *name, mode_t mode, const char *path, struct err *err)
{
    if (mkdirat(dir_fd, name, mode) < 0 && errno != EEXIST)
        return err_sys(err, errno, "cannot make %s", path);
    cleanup_close int fd = folder_open_in(dir_fd, name, 0);
    if (fd < 0)
        return err_sys(err, -fd, "cannot use %s", path);
    int r = folder_check_root(fd, path, err);
    return r < 0 ? r : take_fd(&fd);
}
