#include "rootlesskit/copyup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"

static int clone_tree(const char *dir)
{
    return (int)syscall(SYS_open_tree, AT_FDCWD, dir,
                        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
}

/* A link of the original's top level is copied as it is; anything else gets a link to its place. */
static int link_entry(int from_fd, int to_fd, const char *below, const char *name)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(from_fd, name, target, sizeof target - 1);
    if (n >= 0)
        target[n] = '\0';
    else if (str_format(target, sizeof target, "%s/%s", below, name) < 0)
        return -ENAMETOOLONG;
    return symlinkat(target, to_fd, name) < 0 ? -errno : 0;
}

static int link_all(int dir_fd, const char *below, struct err *err)
{
    cleanup_close int from_fd = openat(dir_fd, below, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_close int list_fd = openat(dir_fd, below, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = list_fd < 0 ? NULL : fdopendir(list_fd);
    if (from_fd < 0 || !list)
        return err_sys(err, errno, "cannot list the original directory");
    (void)take_fd(&list_fd);
    int r = 0;
    for (struct dirent *entry = readdir(list); entry && r >= 0; entry = readdir(list)) {
        if (str_equal(entry->d_name, ".") || str_equal(entry->d_name, ".."))
            continue;
        r = link_entry(from_fd, dir_fd, below, entry->d_name);
        if (r < 0)
            r = err_sys(err, -r, "cannot link %s", entry->d_name);
    }
    (void)closedir(list);
    return r;
}

static int copy_up(const char *dir, struct err *err)
{
    cleanup_close int tree_fd = clone_tree(dir);
    if (tree_fd < 0)
        return err_sys(err, errno, "cannot clone the mount tree");
    struct stat st;
    if (fstat(tree_fd, &st) < 0)
        return err_sys(err, errno, "cannot stat it");
    if (!S_ISDIR(st.st_mode))
        return err_set(err, ENOTDIR, "it is not a directory");

    char options[32];
    (void)str_format(options, sizeof options, "mode=%o", st.st_mode & 07777U);
    if (mount("tmpfs", dir, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
        return err_sys(err, errno, "cannot mount a tmpfs over it");
    cleanup_close int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return err_sys(err, errno, "cannot open the tmpfs");

    char path[PATH_MAX];
    if (str_format(path, sizeof path, "%s/.roXXXXXX", dir) < 0)
        return err_set(err, ENAMETOOLONG, "the path is too long");
    if (!mkdtemp(path) || chmod(path, 0755) < 0)
        return err_sys(err, errno, "cannot create %s", path);
    if (syscall(SYS_move_mount, tree_fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return err_sys(err, errno, "cannot attach the original at %s", path);
    return link_all(dir_fd, strrchr(path, '/') + 1, err);
}

int copyup_dir(const char *dir, struct err *err)
{
    int r = copy_up(dir, err);
    return r < 0 ? err_wrap(err, r, "--copy-up=%s", dir) : 0;
}
