#include "pam/runtime_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "pam/empty.h"
#include "pam/folder.h"
#include "pam/subject.h"

#define BASE "/run/user"
#define NAME_SIZE 24
#define REMOVE_NEW_MS 1000

static void name_of(uid_t uid, char name[NAME_SIZE])
{
    (void)str_format(name, NAME_SIZE, "%u", uid);
}

/* The name while it is not yet his; not one that a uid could have. */
static void new_name_of(uid_t uid, char name[NAME_SIZE])
{
    (void)str_format(name, NAME_SIZE, ".%u.new", uid);
}

/* It is his before it has its name, so he may have put something there. */
static void remove_new(int base, const char *name)
{
    if (unlinkat(base, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return;
    cleanup_close int fd = folder_open_in(base, name, 1);
    if (fd >= 0)
        (void)empty_folder(fd, clock_ms() + REMOVE_NEW_MS);
    (void)unlinkat(base, name, AT_REMOVEDIR);
}

static int make_base(struct err *err)
{
    cleanup_close int run = folder_open("/run");
    if (run < 0)
        return err_sys(err, -run, "cannot open /run");
    return folder_make_root(run, "user", 0755, BASE, err);
}

/* @return fd; -ENOENT without a message when there is none; -errno */
static int open_base(struct err *err)
{
    cleanup_close int fd = folder_open(BASE);
    if (fd < 0)
        return fd == -ENOENT ? fd : err_sys(err, -fd, "cannot use " BASE);
    int r = folder_check_root(fd, BASE, err);
    return r < 0 ? r : take_fd(&fd);
}

/* The kinds of wrong that a directory can be: each is refused with what it is. */
static int check(const struct subject *subject, const struct stat *st, struct err *err)
{
    if (st->st_uid != subject->uid)
        return err_set(err, EPERM,
                       "%s belongs to uid %u, not to %s: not used; look who made it and remove it",
                       subject->runtime, st->st_uid, subject->name);
    if (st->st_mode & 0022)
        return err_set(err, EPERM,
                       "%s has mode %04o, others could have put something there: not used; look "
                       "who made it and remove it",
                       subject->runtime, st->st_mode & 07777);
    return 0;
}

static int find_in(int base, const struct subject *subject, bool tighten, struct err *err)
{
    char name[NAME_SIZE];
    struct stat st;
    name_of(subject->uid, name);
    cleanup_close int fd = folder_open_in(base, name, 0);
    if (fd == -ENOENT)
        return fd;
    if (fd == -ELOOP || fd == -ENOTDIR)
        return err_set(err, -fd,
                       "%s is a %s, no directory: not used; look who made it and remove it",
                       subject->runtime, fd == -ELOOP ? "symbolic link" : "file");
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, fd < 0 ? -fd : errno, "cannot open %s", subject->runtime);
    int r = check(subject, &st, err);
    if (r < 0)
        return r;
    if (tighten && (st.st_mode & 07777) != 0700 && fchmod(fd, 0700) < 0)
        return err_sys(err, errno, "cannot set the mode of %s", subject->runtime);
    return take_fd(&fd);
}

int runtime_dir_find(const struct subject *subject, bool tighten, struct err *err)
{
    cleanup_close int base = open_base(err);
    return base < 0 ? base : find_in(base, subject, tighten, err);
}

int runtime_dir_prepare(const struct subject *subject, uint64_t *ret_dev, uint64_t *ret_ino,
                        struct err *err)
{
    char name[NAME_SIZE];
    struct stat st;
    new_name_of(subject->uid, name);
    cleanup_close int base = make_base(err);
    if (base < 0)
        return base;
    remove_new(base, name); /* of one who died here */
    if (mkdirat(base, name, 0700) < 0)
        return err_sys(err, errno, "cannot make %s", subject->runtime);
    cleanup_close int fd = folder_open_in(base, name, 1);
    if (fd < 0 || fchown(fd, subject->uid, subject->gid) < 0 || fchmod(fd, 0700) < 0 ||
        fstat(fd, &st) < 0)
        return err_sys(err, fd < 0 ? -fd : errno, "cannot make %s", subject->runtime);
    *ret_dev = st.st_dev;
    *ret_ino = st.st_ino;
    return 0;
}

int runtime_dir_publish(const struct subject *subject, struct err *err)
{
    char from[NAME_SIZE], to[NAME_SIZE];
    new_name_of(subject->uid, from);
    name_of(subject->uid, to);
    cleanup_close int base = open_base(err);
    if (base < 0)
        return base;
    if (renameat2(base, from, base, to, RENAME_NOREPLACE) < 0) {
        int code = errno;
        remove_new(base, from);
        if (code != EEXIST) /* somebody else made one: it is looked at */
            return err_sys(err, code, "cannot make %s", subject->runtime);
    }
    return find_in(base, subject, true, err);
}

void runtime_dir_discard(const struct subject *subject)
{
    char name[NAME_SIZE];
    new_name_of(subject->uid, name);
    cleanup_close int base = open_base(NULL);
    if (base >= 0)
        remove_new(base, name);
}

int runtime_dir_remove(uid_t uid, uint64_t dev, uint64_t ino, int64_t deadline, struct err *err)
{
    char name[NAME_SIZE];
    struct stat st;
    name_of(uid, name);
    cleanup_close int base = open_base(err);
    if (base < 0)
        return base == -ENOENT ? 0 : base;
    cleanup_close int fd = folder_open_in(base, name, 1);
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_dev != dev || st.st_ino != ino)
        return 0;
    int r = empty_folder(fd, deadline);
    if (r == 0 && unlinkat(base, name, AT_REMOVEDIR) < 0)
        r = -errno;
    return r < 0 ? err_sys(err, -r, "%s/%s is not wholly removed, the next logout tries again",
                           BASE, name)
                 : 0;
}
