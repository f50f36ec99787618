#include "rootless-setup/check/files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/str.h"

int files_find(const char *root, struct check_files *ret, struct err *err)
{
    *ret = (struct check_files){.root = NULL};
    if (!root || str_equal(root, "/"))
        return 0;
    ret->root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (ret->root_fd < 0)
        return err_sys(err, errno, "--root: cannot open \"%s\"", root);
    ret->root = root;
    return 0;
}

int files_open(const struct check_files *files, const char *path, int flags)
{
    if (!files->root) {
        int fd = open(path, flags | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
    }
    struct open_how how = {.flags = (unsigned)(flags | O_CLOEXEC),
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    long fd = syscall(SYS_openat2, files->root_fd, path, &how, sizeof how);
    return fd < 0 ? -errno : (int)fd;
}

int files_read(const struct check_files *files, const char *path, size_t max, char **ret)
{
    struct stat st;
    cleanup_close int fd = files_open(files, path, O_RDONLY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        return fd < 0 ? fd : -errno;
    return S_ISREG(st.st_mode) ? file_read_all(fd, path, max, ret, NULL, NULL) : -EINVAL;
}

bool files_has(const struct check_files *files, const char *path)
{
    cleanup_close int fd = files_open(files, path, O_PATH);
    return fd >= 0;
}

static bool is_program(const struct check_files *files, const char *path)
{
    struct stat st;
    cleanup_close int fd = files_open(files, path, O_PATH);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    return files->root ? (st.st_mode & 0111) != 0 : access(path, X_OK) == 0;
}

/* Engines' start scripts add the last two to what the user has; an image's PATH nobody knows. */
int files_program(const struct check_files *files, const char *name, char *ret, size_t size)
{
    const char *set = !files->root ? getenv("PATH") : "/usr/local/bin:/usr/bin:/bin";
    const char *const lists[] = {set ? set : "", "/usr/local/sbin:/usr/sbin:/sbin"};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct cursor c = cursor_of(lists[i]);
        while (!cursor_done(&c)) {
            const char *dir;
            size_t len;
            cursor_until(&c, ':', &dir, &len);
            (void)cursor_char(&c, ':');
            if (len > 0 && str_format(ret, size, "%.*s/%s", (int)len, dir, name) > 0 &&
                is_program(files, ret))
                return 0;
        }
    }
    return -ENOENT;
}
