#include "lib/subid/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/str.h"

#define NAME_SIZE 64

static const char *sibling(const struct subid_stage *stage, const char *end, char *buf)
{
    (void)str_format(buf, NAME_SIZE, "%s%s", subid_name(stage->kind), end);
    return buf;
}

static const char *part_name(const struct subid_stage *stage, char *buf)
{
    return sibling(stage, ".rootless-part", buf);
}

static const char *new_name(const struct subid_stage *stage, char *buf)
{
    return sibling(stage, ".rootless-new", buf);
}

static const char *old_name(const struct subid_stage *stage, char *buf)
{
    return sibling(stage, ".rootless-old", buf);
}

/* security.ima and security.evm are made by the kernel for one content; a copy would be wrong. */
static bool is_of_content(const char *name)
{
    return strcmp(name, "security.ima") == 0 || strcmp(name, "security.evm") == 0;
}

static int copy_xattr(int from, int to, const char *name)
{
    cleanup_free char *value = malloc(XATTR_SIZE_MAX);
    if (!value)
        return -ENOMEM;
    ssize_t len = fgetxattr(from, name, value, XATTR_SIZE_MAX);
    if (len < 0)
        return errno == ENODATA ? 0 : -errno;
    return fsetxattr(to, name, value, (size_t)len, 0) < 0 ? -errno : 0;
}

/* All of them, ACLs included: those are the attribute system.posix_acl_access. */
static int copy_xattrs(int from, int to, const char **ret_name, char *names, size_t size)
{
    ssize_t len = flistxattr(from, names, size);
    if (len < 0)
        return errno == ENOTSUP ? 0 : -errno;
    for (const char *name = names; name < names + len; name += strlen(name) + 1) {
        *ret_name = name;
        int r = is_of_content(name) ? 0 : copy_xattr(from, to, name);
        if (r < 0)
            return r;
    }
    return 0;
}

static int copy_looks(const struct subid_stage *stage, int from, int to, struct err *err)
{
    struct stat st;
    if (fstat(from, &st) < 0)
        return err_sys(err, errno, "cannot stat %s/etc/%s", stage->place->root,
                       subid_name(stage->kind));
    if (fchown(to, st.st_uid, st.st_gid) < 0 || fchmod(to, st.st_mode & 07777) < 0)
        return err_sys(err, errno, "cannot give the new %s/etc/%s the old one's owner and mode",
                       stage->place->root, subid_name(stage->kind));
    cleanup_free char *names = malloc(XATTR_LIST_MAX);
    if (!names)
        return err_set(err, ENOMEM, "no memory for the attributes of %s", subid_name(stage->kind));
    const char *which = "list";
    int r = copy_xattrs(from, to, &which, names, XATTR_LIST_MAX);
    if (r < 0)
        return err_sys(err, -r, "cannot give the new %s/etc/%s the old one's attribute %s",
                       stage->place->root, subid_name(stage->kind), which);
    return 0;
}

/* The present file, if there is one and it may be replaced. @return fd, -ENOENT, -errno */
static int open_present(const struct subid_stage *stage, struct err *err)
{
    cleanup_close int fd = openat(stage->place->etc_fd, subid_name(stage->kind),
                                  O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
    struct stat st;
    if (fd < 0 && errno == ENOENT)
        return -ENOENT;
    if (fd < 0)
        return err_sys(err, errno, "cannot open %s/etc/%s", stage->place->root,
                       subid_name(stage->kind));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return err_set(err, EINVAL, "%s/etc/%s is not a regular file", stage->place->root,
                       subid_name(stage->kind));
    return take_fd(&fd);
}

static int fill(const struct subid_stage *stage, int old_fd, int fd, const char *text, size_t len,
                struct err *err)
{
    int r = file_write_full(fd, text, len);
    if (r < 0)
        return subid_place_refused(stage->place, subid_name(stage->kind), -r, err);
    if (old_fd >= 0)
        r = copy_looks(stage, old_fd, fd, err);
    else if (fchmod(fd, 0644) < 0)
        r = subid_place_refused(stage->place, subid_name(stage->kind), errno, err);
    if (r < 0)
        return r;
    if (fsync(fd) < 0)
        return err_sys(err, errno, "cannot sync %s/etc/%s to disk", stage->place->root,
                       subid_name(stage->kind));
    return 0;
}

static int write_successor(const struct subid_stage *stage, int old_fd, const char *text,
                           size_t len, struct err *err)
{
    int etc_fd = stage->place->etc_fd;
    char part[NAME_SIZE], new[NAME_SIZE];
    (void)unlinkat(etc_fd, part_name(stage, part), 0);
    cleanup_close int fd =
        openat(etc_fd, part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return subid_place_refused(stage->place, subid_name(stage->kind), errno, err);
    int r = fill(stage, old_fd, fd, text, len, err);
    if (r == 0 && renameat(etc_fd, part, etc_fd, new_name(stage, new)) < 0)
        r = subid_place_refused(stage->place, new, errno, err);
    return r;
}

/* A program that takes no lock ("echo >>/etc/subuid") may have written since we read. */
static int check_present(const struct subid_stage *stage, const struct subid_content *present,
                         struct err *err)
{
    struct subid_content now;
    int r = subid_content_read(stage->place, stage->kind, &now, err);
    if (r == 0 && !subid_content_equal(&now, present))
        r = err_set(err, EBUSY,
                    "%s/etc/%s was changed meanwhile by a program that takes no lock: "
                    "try again",
                    stage->place->root, subid_name(stage->kind));
    return r;
}

int subid_stage_write(struct subid_stage *stage, const struct subid_content *present,
                      const char *text, size_t len, struct err *err)
{
    int etc_fd = stage->place->etc_fd;
    char old[NAME_SIZE];
    cleanup_close int old_fd = open_present(stage, err);
    if (old_fd < 0 && old_fd != -ENOENT)
        return old_fd;
    stage->existed = old_fd >= 0;
    int r = check_present(stage, present, err);
    if (r == 0)
        r = write_successor(stage, old_fd, text, len, err);
    if (r < 0)
        return r;
    (void)unlinkat(etc_fd, old_name(stage, old), 0);
    if (stage->existed && linkat(etc_fd, subid_name(stage->kind), etc_fd, old, 0) < 0)
        return subid_place_refused(stage->place, old, errno, err);
    return 0;
}

int subid_stage_waits(const struct subid_stage *stage, struct err *err)
{
    char new[NAME_SIZE];
    struct stat st;
    if (fstatat(stage->place->etc_fd, new_name(stage, new), &st, AT_SYMLINK_NOFOLLOW) == 0)
        return 1;
    return errno == ENOENT ? 0
                           : err_sys(err, errno, "cannot stat %s/etc/%s", stage->place->root, new);
}

int subid_stage_swap(struct subid_stage *stage, struct err *err)
{
    int etc_fd = stage->place->etc_fd;
    char new[NAME_SIZE];
    if (renameat(etc_fd, new_name(stage, new), etc_fd, subid_name(stage->kind)) < 0)
        return subid_place_refused(stage->place, subid_name(stage->kind), errno, err);
    stage->swapped = true;
    return 0;
}

int subid_stage_put_back(struct subid_stage *stage, struct err *err)
{
    int etc_fd = stage->place->etc_fd;
    char old[NAME_SIZE];
    if (!stage->swapped)
        return 0;
    int r = stage->existed ? renameat(etc_fd, old_name(stage, old), etc_fd, subid_name(stage->kind))
                           : unlinkat(etc_fd, subid_name(stage->kind), 0);
    if (r < 0)
        return subid_place_refused(stage->place, subid_name(stage->kind), errno, err);
    stage->swapped = false;
    return 0;
}

void subid_stage_back_up(struct subid_stage *stage)
{
    int etc_fd = stage->place->etc_fd;
    char old[NAME_SIZE], backup[NAME_SIZE];
    if (renameat(etc_fd, old_name(stage, old), etc_fd, sibling(stage, "-", backup)) < 0)
        (void)unlinkat(etc_fd, old, 0); /* no backup is better than a leftover */
}

bool subid_stage_clear(struct subid_stage *stage)
{
    int etc_fd = stage->place->etc_fd;
    char part[NAME_SIZE], new[NAME_SIZE], old[NAME_SIZE];
    bool any = unlinkat(etc_fd, part_name(stage, part), 0) == 0;
    any = unlinkat(etc_fd, new_name(stage, new), 0) == 0 || any;
    return unlinkat(etc_fd, old_name(stage, old), 0) == 0 || any;
}
