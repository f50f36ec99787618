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
    (void)str_format(buf, NAME_SIZE, "%s%s", stage->name, end);
    return buf;
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
        return err_sys(err, errno, "cannot stat %s/etc/%s", stage->place->root, stage->name);
    if (fchown(to, st.st_uid, st.st_gid) < 0 || fchmod(to, st.st_mode & 07777) < 0)
        return err_sys(err, errno, "cannot give the new %s/etc/%s the old one's owner and mode",
                       stage->place->root, stage->name);
    cleanup_free char *names = malloc(XATTR_LIST_MAX);
    if (!names)
        return err_set(err, ENOMEM, "no memory for the attributes of %s", stage->name);
    const char *which = "list";
    int r = copy_xattrs(from, to, &which, names, XATTR_LIST_MAX);
    if (r < 0)
        return err_sys(err, -r, "cannot give the new %s/etc/%s the old one's attribute %s",
                       stage->place->root, stage->name, which);
    return 0;
}

/* The present file, if there is one and it may be replaced. @return fd, -ENOENT, -errno */
static int open_present(const struct subid_stage *stage, struct err *err)
{
    cleanup_close int fd = openat(stage->place->etc_fd, stage->name,
                                  O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
    struct stat st;
    if (fd < 0 && errno == ENOENT)
        return -ENOENT;
    if (fd < 0)
        return err_sys(err, errno, "cannot open %s/etc/%s", stage->place->root, stage->name);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return err_set(err, EINVAL, "%s/etc/%s is not a regular file", stage->place->root,
                       stage->name);
    return take_fd(&fd);
}

static int fill(struct subid_stage *stage, int old_fd, int fd, const char *text, size_t len,
                struct err *err)
{
    int r = file_write_full(fd, text, len);
    if (r < 0)
        return subid_place_refused(stage->place, stage->name, -r, err);
    if (old_fd >= 0)
        r = copy_looks(stage, old_fd, fd, err);
    else if (fchmod(fd, 0644) < 0)
        r = subid_place_refused(stage->place, stage->name, errno, err);
    if (r < 0)
        return r;
    if (fsync(fd) < 0)
        return err_sys(err, errno, "cannot sync %s/etc/%s to disk", stage->place->root,
                       stage->name);
    return 0;
}

int subid_stage_write(struct subid_stage *stage, const struct subid_place *place, const char *name,
                      const char *text, size_t len, struct err *err)
{
    *stage = (struct subid_stage){.place = place, .name = name};
    char buf[NAME_SIZE];
    cleanup_close int old_fd = open_present(stage, err);
    if (old_fd < 0 && old_fd != -ENOENT)
        return old_fd;
    stage->existed = old_fd >= 0;
    (void)unlinkat(place->etc_fd, new_name(stage, buf), 0);
    cleanup_close int fd = openat(place->etc_fd, new_name(stage, buf),
                                  O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return subid_place_refused(place, name, errno, err);
    stage->written = true;
    int r = fill(stage, old_fd, fd, text, len, err);
    if (r < 0)
        subid_stage_undo(stage);
    return r;
}

int subid_stage_swap(struct subid_stage *stage, struct err *err)
{
    int etc_fd = stage->place->etc_fd;
    char new_buf[NAME_SIZE], old_buf[NAME_SIZE];
    (void)unlinkat(etc_fd, old_name(stage, old_buf), 0);
    if (stage->existed && linkat(etc_fd, stage->name, etc_fd, old_buf, 0) < 0)
        return subid_place_refused(stage->place, old_buf, errno, err);
    stage->linked = stage->existed;
    if (renameat(etc_fd, new_name(stage, new_buf), etc_fd, stage->name) < 0)
        return subid_place_refused(stage->place, stage->name, errno, err);
    stage->written = false;
    stage->swapped = true;
    return 0;
}

void subid_stage_undo(struct subid_stage *stage)
{
    if (!stage->place)
        return;
    int etc_fd = stage->place->etc_fd;
    char buf[NAME_SIZE];
    if (stage->swapped && stage->linked &&
        renameat(etc_fd, old_name(stage, buf), etc_fd, stage->name) == 0)
        stage->linked = false;
    if (stage->swapped && !stage->existed)
        (void)unlinkat(etc_fd, stage->name, 0);
    if (stage->linked)
        (void)unlinkat(etc_fd, old_name(stage, buf), 0);
    if (stage->written)
        (void)unlinkat(etc_fd, new_name(stage, buf), 0);
    *stage = (struct subid_stage){0};
}

void subid_stage_finish(struct subid_stage *stage)
{
    if (!stage->place)
        return;
    int etc_fd = stage->place->etc_fd;
    char old_buf[NAME_SIZE], backup[NAME_SIZE];
    if (stage->linked &&
        renameat(etc_fd, old_name(stage, old_buf), etc_fd, sibling(stage, "-", backup)) < 0)
        (void)unlinkat(etc_fd, old_buf, 0); /* no backup is better than a leftover */
    *stage = (struct subid_stage){0};
}
