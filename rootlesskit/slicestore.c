#include "rootlesskit/slicestore.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "rootlesskit/slicebook.h"

#define FILE_NAME "slices"
#define PART_NAME "slices.new"
#define LOCK_NAME "slices.lock"
#define FILE_MAX (1024 * 1024) /* bytes, thousands of slices: more than ids can be cut into */

/* ---- the folder ---- */

static int find_folder(char *ret, size_t size, struct err *err)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (data && data[0] == '/' && str_format(ret, size, "%s/rootlesskit", data) > 0)
        return 0;
    if (!home || home[0] != '/') {
        const struct passwd *pw = getpwuid(getuid());
        home = pw ? pw->pw_dir : NULL;
    }
    if (!home || home[0] != '/')
        return err_set(err, ENOENT,
                       "--subid-slice: no place to remember slices in; set HOME or XDG_DATA_HOME");
    if (str_format(ret, size, "%s/.local/share/rootlesskit", home) < 0)
        return err_set(err, ENAMETOOLONG, "--subid-slice: $HOME is too long: %s", home);
    return 0;
}

static int make_folder(const char *path, struct err *err)
{
    char part[PATH_MAX];
    (void)str_copy(part, sizeof part, path);
    for (char *slash = strchr(part + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash)
            *slash = '\0';
        if (mkdir(part, 0700) < 0 && errno != EEXIST)
            return err_sys(err, errno, "--subid-slice: cannot create %s to remember slices in",
                           part);
        if (!slash)
            return 0;
        *slash = '/';
    }
}

/* @return fd; one that others can change is refused: who writes there gives out ids */
static int open_folder(const char *path, struct err *err)
{
    struct stat st;
    int r = make_folder(path, err);
    if (r < 0)
        return r;
    cleanup_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, errno, "--subid-slice: cannot open %s", path);
    if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
        return err_set(err, EPERM,
                       "--subid-slice: %s must be yours, and nobody else may write there", path);
    return take_fd(&fd);
}

/* @return the lock, which its close releases */
static int lock_folder(int dir_fd, const char *path, struct err *err)
{
    cleanup_close int fd =
        openat(dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(err, errno, "--subid-slice: cannot open %s/" LOCK_NAME, path);
    while (flock(fd, LOCK_EX) < 0)
        if (errno != EINTR)
            return err_sys(err, errno, "--subid-slice: cannot lock %s/" LOCK_NAME, path);
    return take_fd(&fd);
}

/* ---- the file ---- */

static int enter(int dir_fd, const char *path, const char *text, const char *dir,
                 struct slice slice, struct err *err)
{
    size_t len = strlen(text), room = len + strlen(dir) + 32;
    cleanup_free char *grown = malloc(room);
    if (!grown)
        return err_set(err, ENOMEM, "no memory for %s", path);
    const char *newline = len > 0 && text[len - 1] != '\n' ? "\n" : "";
    int n =
        str_format(grown, room, "%s%s%u %u %s\n", text, newline, slice.offset, slice.count, dir);
    int r = n < 0 ? n : file_replace(dir_fd, PART_NAME, FILE_NAME, grown, (size_t)n);
    if (r >= 0)
        r = file_sync_names(dir_fd);
    return r < 0 ? err_sys(err, -r, "--subid-slice: cannot write %s", path) : 0;
}

/* With the lock held. */
static int claim(int dir_fd, const char *path, const char *dir, struct slice wanted, uint32_t total,
                 struct slice *ret, struct err *err)
{
    cleanup_free char *text = NULL;
    size_t len = 0;
    struct slicebook book;
    int r = file_read(dir_fd, FILE_NAME, FILE_MAX, &text, &len, err);
    if (r < 0 && r != -ENOENT)
        return err_wrap(err, r, "--subid-slice: %s", path);
    r = slicebook_parse(&book, path, text ? text : "", len, err);
    if (r < 0)
        return r;
    r = slicebook_choose(&book, dir, wanted, total, ret, err);
    slicebook_free(&book);
    return r > 0 ? enter(dir_fd, path, text ? text : "", dir, *ret, err) : r;
}

int slicestore_claim(const char *dir, struct slice wanted, uint32_t total, struct slice *ret,
                     struct err *err)
{
    char folder[PATH_MAX - sizeof FILE_NAME], path[PATH_MAX];
    if (strchr(dir, '\n'))
        return err_set(err, EINVAL, "--subid-slice: the path of the state directory has a newline");
    int r = find_folder(folder, sizeof folder, err);
    if (r < 0)
        return r;
    (void)str_format(path, sizeof path, "%s/" FILE_NAME, folder);
    cleanup_close int dir_fd = open_folder(folder, err);
    if (dir_fd < 0)
        return dir_fd;
    cleanup_close int lock_fd = lock_folder(dir_fd, folder, err);
    if (lock_fd < 0)
        return lock_fd;
    return claim(dir_fd, path, dir, wanted, total, ret, err);
}
