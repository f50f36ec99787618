#include "rootless-setup/fix/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/str.h"

void place_file_cleanup(struct place_file *file)
{
    free(file->data);
    file->data = NULL;
}

bool place_file_same(const struct place_file *file, const char *data, size_t len)
{
    return file->data && file->len == len && memcmp(file->data, data, len) == 0;
}

int place_open(const char *root, struct place *ret, struct err *err)
{
    int fd = open(root ? root : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, errno, "cannot open %s", root ? root : "/");
    *ret = (struct place){.root_fd = fd, .running = !root};
    return 0;
}

void place_close(struct place *place)
{
    place->root_fd = fd_close(place->root_fd);
}

bool place_is_path(const char *path)
{
    if (path[0] != '/')
        return false;
    while (*path == '/') {
        size_t len = strcspn(++path, "/");
        if (len == 0 || (len == 1 && path[0] == '.') ||
            (len == 2 && path[0] == '.' && path[1] == '.'))
            return false;
        path += len;
    }
    return true;
}

/* Links lead to what they name inside the tree. Before Linux 5.6 only this machine is at hand. */
static int open_inside(const struct place *place, const char *path, int flags)
{
    struct open_how how = {
        .flags = (unsigned)(flags | O_CLOEXEC),
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    };
    long fd = syscall(SYS_openat2, place->root_fd, path, &how, sizeof how);
    if (fd < 0 && errno == ENOSYS && place->running)
        fd = open(path, flags | O_CLOEXEC);
    return fd < 0 ? -errno : (int)fd;
}

bool place_has(const struct place *place, const char *path)
{
    cleanup_close int fd = open_inside(place, path, O_PATH);
    return fd >= 0;
}

/* The directory above @p path. @return its length */
static size_t dir_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash > path ? (size_t)(slash - path) : 1;
}

int place_missing_dirs(const struct place *place, const char *path)
{
    char dir[PATH_MAX];
    int missing = 0;
    if (str_copy(dir, sizeof dir, path) < 0)
        return -ENAMETOOLONG;
    for (;; missing++) {
        dir[dir_length(dir)] = '\0';
        cleanup_close int fd = open_inside(place, dir, O_PATH | O_DIRECTORY);
        if (fd != -ENOENT)
            return fd >= 0 ? missing : fd;
    }
}

int place_open_dir(const struct place *place, const char *path, bool make, struct err *err)
{
    char dir[PATH_MAX];
    int fd = open_inside(place, path, O_RDONLY | O_DIRECTORY);
    if (fd != -ENOENT || !make)
        return fd >= 0 ? fd : err_sys(err, -fd, "cannot open %s", path);
    if (str_format(dir, sizeof dir, "%.*s", (int)dir_length(path), path) < 0)
        return err_sys(err, ENAMETOOLONG, "cannot make %s", path);
    cleanup_close int parent = place_open_dir(place, dir, true, err);
    if (parent < 0)
        return parent;
    const char *name = strrchr(path, '/') + 1;
    if (str_equal(name, "..")) /* opened by its name alone it would lead out of the tree */
        return err_set(err, EINVAL, "%s leads back from a directory that is not there", path);
    if ((mkdirat(parent, name, 0755) < 0 && errno != EEXIST) || file_sync_names(parent) < 0)
        return err_sys(err, errno, "cannot make %s", path);
    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 ? fd : err_sys(err, errno, "cannot open %s", path);
}

/* The directory of a file. @param ret_name  points into path */
static int open_parent(const struct place *place, const char *path, bool make,
                       const char **ret_name, struct err *err)
{
    char dir[PATH_MAX];
    if (str_format(dir, sizeof dir, "%.*s", (int)dir_length(path), path) < 0)
        return err_sys(err, ENAMETOOLONG, "cannot open the directory of %s", path);
    *ret_name = strrchr(path, '/') + 1;
    return place_open_dir(place, dir, make, err);
}

int place_read(const struct place *place, const char *path, struct place_file *ret, struct err *err)
{
    const char *name;
    struct stat st;
    *ret = (struct place_file){0};
    cleanup_close int dir = open_parent(place, path, false, &name, err);
    if (dir == -ENOENT || dir == -ENOTDIR)
        return dir == -ENOENT ? 0 : dir;
    if (dir < 0)
        return dir;
    cleanup_close int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 && errno == ELOOP)
        return err_set(err, ELOOP, "%s is a symbolic link, as somebody wanted it", path);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, errno, "cannot read %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, EISDIR, "%s is no ordinary file", path);
    int r = file_read_all(fd, path, PLACE_FILE_MAX, &ret->data, &ret->len, err);
    ret->mode = st.st_mode & 07777;
    ret->uid = st.st_uid;
    ret->gid = st.st_gid;
    return r;
}

/* The name of a file while it is written. */
static int part_name(const char *name, char ret[NAME_MAX + 1])
{
    return str_format(ret, NAME_MAX + 1, ".%s.rootless-new", name) < 0 ? -ENAMETOOLONG : 0;
}

void place_sweep(const struct place *place, const char *path)
{
    char part[NAME_MAX + 1];
    const char *name;
    cleanup_close int dir = open_parent(place, path, false, &name, NULL);
    if (dir >= 0 && part_name(name, part) == 0)
        (void)unlinkat(dir, part, 0);
}

/* The new content beside the old, complete and on disk. */
static int write_part(int dir, const char *part, const struct place_file *file)
{
    if (unlinkat(dir, part, 0) < 0 && errno != ENOENT)
        return -errno;
    cleanup_close int fd = openat(dir, part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int r = file_write_full(fd, file->data, file->len);
    if (r == 0 &&
        (fchown(fd, file->uid, file->gid) < 0 || fchmod(fd, file->mode) < 0 || fsync(fd) < 0))
        r = -errno;
    return r;
}

int place_write(const struct place *place, const char *path, const struct place_file *file,
                struct err *err)
{
    char part[NAME_MAX + 1];
    const char *name;
    cleanup_close int dir = open_parent(place, path, true, &name, err);
    if (dir < 0)
        return dir;
    if (part_name(name, part) < 0)
        return err_sys(err, ENAMETOOLONG, "cannot write %s", path);
    int r = write_part(dir, part, file);
    if (r == 0 && renameat(dir, part, dir, name) < 0)
        r = -errno;
    if (r < 0)
        (void)unlinkat(dir, part, 0);
    if (r == 0)
        r = file_sync_names(dir);
    return r < 0 ? err_sys(err, -r, "cannot write %s", path) : 0;
}

/* The directories above, from the lowest on, while they are empty. A crash may have taken some. */
static int remove_dirs(const struct place *place, const char *path, unsigned dirs, struct err *err)
{
    char above[PATH_MAX];
    const char *name;
    if (str_copy(above, sizeof above, path) < 0)
        return err_set(err, ENAMETOOLONG, "%s is too long a path", path);
    while (dirs-- > 0) {
        above[dir_length(above)] = '\0';
        cleanup_close int parent = open_parent(place, above, false, &name, err);
        if (parent == -ENOENT)
            continue;
        if (parent < 0)
            return parent;
        if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
            continue;
        if (errno == ENOTEMPTY || errno == EEXIST || errno == EBUSY)
            return 0; /* somebody else uses it by now */
        return err_sys(err, errno, "cannot remove %s", above);
    }
    return 0;
}

int place_remove(const struct place *place, const char *path, unsigned dirs, struct err *err)
{
    const char *name;
    place_sweep(place, path);
    cleanup_close int dir = open_parent(place, path, false, &name, err);
    if (dir < 0 && dir != -ENOENT)
        return dir;
    if (dir >= 0 && unlinkat(dir, name, 0) < 0 && errno != ENOENT)
        return err_sys(err, errno, "cannot remove %s", path);
    int r = dir < 0 ? 0 : file_sync_names(dir);
    if (r < 0)
        return err_sys(err, -r, "cannot remove %s", path);
    return remove_dirs(place, path, dirs, err);
}
