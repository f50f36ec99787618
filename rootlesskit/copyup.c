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

/* Links to the entries of one directory above; / has about twenty. */
#define SIBLINGS_MAX 1000

static int clone_tree(const char *dir)
{
    return (int)syscall(SYS_open_tree, AT_FDCWD, dir,
                        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
}

/* Calls fn for each name in a directory until it fails. @return 0 or the first failure's -errno */
static int each_name(int dir_fd, int (*fn)(const char *name, void *arg), void *arg)
{
    cleanup_close int list_fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = list_fd < 0 ? NULL : fdopendir(list_fd);
    if (!list)
        return -errno;
    (void)take_fd(&list_fd);
    int r = 0;
    for (struct dirent *entry = readdir(list); entry && r >= 0; entry = readdir(list))
        if (!str_equal(entry->d_name, ".") && !str_equal(entry->d_name, ".."))
            r = fn(entry->d_name, arg);
    (void)closedir(list);
    return r;
}

struct link_job {
    int from_fd, to_fd;
    const char *prefix; /* of the links' targets */
    const char *except; /* a name that gets no link, or NULL */
    int left;           /* links that may still be made */
};

/* A link of the original's top level is copied as it is; anything else gets a link to its place. */
static int link_entry(const char *name, void *arg)
{
    const struct link_job *job = arg;
    char target[PATH_MAX];
    ssize_t n = readlinkat(job->from_fd, name, target, sizeof target - 1);
    if (n >= 0)
        target[n] = '\0';
    else if (str_format(target, sizeof target, "%s/%s", job->prefix, name) < 0)
        return -ENAMETOOLONG;
    return symlinkat(target, job->to_fd, name) < 0 ? -errno : 0;
}

static int link_sibling(const char *name, void *arg)
{
    struct link_job *job = arg;
    char target[PATH_MAX];
    if (str_equal(name, job->except))
        return 0;
    if (job->left-- == 0)
        return -E2BIG;
    if (str_format(target, sizeof target, "%s/%s", job->prefix, name) < 0)
        return -ENAMETOOLONG;
    return symlinkat(target, job->to_fd, name) < 0 ? -errno : 0;
}

/* One level of the likeness: links to all in @p above but @p name, which becomes a directory. A
 * directory that we may not read, or one of very many entries, stays without: only links that leave
 * the copied-up directory could miss them. */
static int make_level(const char *above, const char *name, int to_fd)
{
    cleanup_close int from_fd =
        open(above[0] ? above : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    struct link_job job = {
        .from_fd = from_fd, .to_fd = to_fd, .prefix = above, .except = name, .left = SIBLINGS_MAX};
    if (from_fd >= 0)
        (void)each_name(from_fd, link_sibling, &job);
    return mkdirat(to_fd, name, 0755) < 0 ? -errno : 0;
}

/* Below @p to_fd, the directories that lead to @p real (absolute, without links). @return the last
 * one's fd or -errno */
static int make_likeness(const char *real, int to_fd)
{
    char above[PATH_MAX];
    cleanup_close int fd = openat(to_fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (const char *slash = real; slash && fd >= 0;) {
        const char *next = strchr(slash + 1, '/');
        size_t len = next ? (size_t)(next - slash - 1) : strlen(slash + 1);
        char name[NAME_MAX + 1];
        (void)str_format(above, sizeof above, "%.*s", (int)(slash - real), real);
        if (str_format(name, sizeof name, "%.*s", (int)len, slash + 1) < 0)
            return -ENAMETOOLONG;
        int r = make_level(above, name, fd);
        if (r < 0)
            return r;
        int below_fd = openat(fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        fd_close(fd);
        fd = below_fd;
        slash = next;
    }
    return fd < 0 ? -errno : take_fd(&fd);
}

/* The clone's place in the tmpfs: below @p hidden, in a likeness of what is above @p real. */
static int attach(int tree_fd, const char *real, int dir_fd, const char *hidden, struct err *err)
{
    cleanup_close int hidden_fd =
        openat(dir_fd, hidden, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    int place_fd = hidden_fd < 0 ? -errno : make_likeness(real, hidden_fd);
    if (place_fd < 0)
        return err_sys(err, -place_fd, "cannot make a likeness of what is above it");
    int r = syscall(SYS_move_mount, tree_fd, "", place_fd, "",
                    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0
                ? err_sys(err, errno, "cannot attach the original")
                : 0;
    fd_close(place_fd);
    return r;
}

static int link_all(const char *real, int dir_fd, const char *hidden, struct err *err)
{
    char prefix[PATH_MAX];
    if (str_format(prefix, sizeof prefix, "%s%s", hidden, real) < 0)
        return err_set(err, ENAMETOOLONG, "the path is too long");
    cleanup_close int from_fd = openat(dir_fd, prefix, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (from_fd < 0)
        return err_sys(err, errno, "cannot open the original");
    struct link_job job = {.from_fd = from_fd, .to_fd = dir_fd, .prefix = prefix};
    int r = each_name(from_fd, link_entry, &job);
    return r < 0 ? err_sys(err, -r, "cannot link its entries") : 0;
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

    char hidden[PATH_MAX];
    if (str_format(hidden, sizeof hidden, "%s/.roXXXXXX", dir) < 0)
        return err_set(err, ENAMETOOLONG, "the path is too long");
    if (!mkdtemp(hidden) || chmod(hidden, 0755) < 0)
        return err_sys(err, errno, "cannot create %s", hidden);
    const char *name = strrchr(hidden, '/') + 1;
    int r = attach(tree_fd, dir, dir_fd, name, err);
    return r < 0 ? r : link_all(dir, dir_fd, name, err);
}

int copyup_dir(const char *dir, struct err *err)
{
    cleanup_free char *real = realpath(dir, NULL);
    int r = real ? copy_up(real, err) : err_sys(err, errno, "cannot find it");
    return r < 0 ? err_wrap(err, r, "--copy-up=%s", dir) : 0;
}
