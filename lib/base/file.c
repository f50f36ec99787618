#include "lib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"

ssize_t file_read_full(int fd, void *buf, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = read(fd, (char *)buf + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

int file_write_full(int fd, const void *buf, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = write(fd, (const char *)buf + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        done += (size_t)n;
    }
    return 0;
}

int file_read_into(int dirfd, const char *path, char *buf, size_t size, struct err *err)
{
    cleanup_close int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return err_sys(err, errno, "cannot open %s", path);
    ssize_t n = file_read_full(fd, buf, size);
    if (n < 0)
        return err_sys(err, (int)-n, "cannot read %s", path);
    if ((size_t)n == size)
        return err_set(err, EFBIG, "%s is larger than %zu bytes", path, size - 1);
    buf[n] = '\0';
    return (int)n;
}

int file_read_all(int fd, const char *what, size_t max, char **ret, size_t *ret_len,
                  struct err *err)
{
    cleanup_free char *buf = NULL;
    size_t len = 0, room = 0;
    for (;;) {
        if (len + 1 >= room) {
            room = room ? room * 2 : 4096;
            char *grown = realloc(buf, room);
            if (!grown)
                return err_set(err, ENOMEM, "no memory to read %s", what);
            buf = grown;
        }
        ssize_t n = file_read_full(fd, buf + len, room - len - 1);
        if (n < 0)
            return err_sys(err, (int)-n, "cannot read %s", what);
        if (n == 0)
            break;
        len += (size_t)n;
        if (len > max)
            return err_set(err, EFBIG, "%s is larger than %zu bytes", what, max);
    }
    buf[len] = '\0';
    *ret = buf;
    buf = NULL;
    if (ret_len)
        *ret_len = len;
    return 0;
}

int file_read(int dirfd, const char *path, size_t max, char **ret, size_t *ret_len, struct err *err)
{
    cleanup_close int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return err_sys(err, errno, "cannot open %s", path);
    return file_read_all(fd, path, max, ret, ret_len, err);
}

int file_poke(int dirfd, const char *path, const char *data, struct err *err)
{
    cleanup_close int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return err_sys(err, errno, "cannot open %s", path);
    size_t len = strlen(data);
    ssize_t n = write(fd, data, len);
    if (n < 0)
        return err_sys(err, errno, "cannot write \"%s\" to %s", data, path);
    if ((size_t)n != len)
        return err_set(err, EIO, "%s took only part of \"%s\"", path, data);
    return 0;
}

int file_create(int dirfd, const char *path, mode_t mode, const char *data, struct err *err)
{
    if (unlinkat(dirfd, path, 0) < 0 && errno != ENOENT)
        return err_sys(err, errno, "cannot replace %s", path);
    cleanup_close int fd =
        openat(dirfd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return err_sys(err, errno, "cannot create %s", path);
    if (fchmod(fd, mode) < 0)
        return err_sys(err, errno, "cannot set the mode of %s", path);
    int r = file_write_full(fd, data, strlen(data));
    if (r < 0)
        return err_sys(err, -r, "cannot write %s", path);
    return 0;
}

static int write_part(int dirfd, const char *part, const void *data, size_t len)
{
    (void)unlinkat(dirfd, part, 0);
    cleanup_close int fd =
        openat(dirfd, part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int r = file_write_full(fd, data, len);
    return r == 0 && fsync(fd) < 0 ? -errno : r;
}

int file_replace(int dirfd, const char *part, const char *name, const void *data, size_t len)
{
    int r = write_part(dirfd, part, data, len);
    if (r == 0 && renameat(dirfd, part, dirfd, name) < 0)
        r = -errno;
    if (r < 0)
        (void)unlinkat(dirfd, part, 0);
    return r;
}

int file_sync_names(int dir_fd)
{
    return fsync(dir_fd) < 0 && errno != EINVAL && errno != ENOTSUP ? -errno : 0;
}
