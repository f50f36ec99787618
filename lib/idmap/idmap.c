#include "lib/idmap/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/idmap/log.h"
#include "lib/idmap/policy.h"

/* The files of the target, open for the write. */
struct idmap_files {
    int map_fd;
    int setgroups_fd; /* -EBADF: not to be touched */
};

int idmap_parse(enum subid_kind kind, int n_words, char *const *words, struct idmap_request *ret,
                struct err *err)
{
    if (n_words < 1)
        return err_set(err, EINVAL, "no process given");
    ret->kind = kind;
    int r = idmap_target_parse(words[0], &ret->target, err);
    if (r == 0)
        r = idmap_extents_parse(kind, (size_t)n_words - 1, words + 1, &ret->extents, err);
    if (r == 0)
        r = idmap_extents_check(kind, &ret->extents, err);
    return r;
}

static const char *map_name(enum subid_kind kind)
{
    return kind == SUBID_UID ? "uid_map" : "gid_map";
}

/*
 * Runs with the capability. Safe: both names are fixed, looked up beneath an fd that was checked to
 * be a /proc directory of a process with the caller's ids, through no link and no mount. CAP_SETUID
 * and CAP_SETGID open no file the caller could not open; the kernel checks that the caller owns
 * the target's namespace.
 */
static int open_files(int target_fd, enum subid_kind kind, bool deny_setgroups,
                      struct idmap_files *ret, struct err *err)
{
    if (deny_setgroups) {
        int fd = idmap_target_file(target_fd, "setgroups", O_RDWR);
        if (fd < 0 && fd != -ENOENT) /* absent before Linux 3.19 */
            return err_sys(err, -fd, "couldn't open process setgroups");
        ret->setgroups_fd = fd < 0 ? -EBADF : fd;
    }
    const char *name = map_name(kind);
    int fd = idmap_target_file(target_fd, name, O_WRONLY);
    if (fd == -EACCES)
        return err_set(err, EACCES,
                       "open of %s failed: Permission denied: the process is not dumpable (it "
                       "changed its ids or runs a program its user may not read)",
                       name);
    if (fd == -ENOENT || fd == -ESRCH)
        return err_sys(err, -fd, "open of %s failed, the process is gone or no process", name);
    if (fd < 0)
        return err_sys(err, -fd, "open of %s failed", name);
    ret->map_fd = fd;
    return 0;
}

static int write_deny(int fd, struct err *err)
{
    static const char deny[] = "deny\n";
    char now[16] = {0};
    ssize_t n = pread(fd, now, sizeof now - 1, 0);
    if (n < 0)
        return err_sys(err, errno, "failed to read setgroups");
    if (strncmp(now, deny, sizeof deny - 1) == 0)
        return 0;
    if (write(fd, deny, sizeof deny - 1) < 0)
        return err_sys(err, errno,
                       "failed to setgroups deny policy (it cannot be set once gid_map is)");
    return 0;
}

/* The kernel takes a map in one write or not at all; there is nothing to go on with. */
static int write_map(int fd, const struct idmap_request *request, const char *text, size_t len,
                     struct err *err)
{
    const char *name = map_name(request->kind);
    ssize_t n = write(fd, text, len);
    if (n >= 0 && (size_t)n != len)
        return err_set(err, EIO, "write to %s failed: cut short", name);
    if (n < 0 && errno == EPERM)
        return err_set(err, EPERM,
                       "write to %s failed: Operation not permitted: the map is already set, or "
                       "the process is not in a new user namespace that its user made from this "
                       "one, or an outer %s is not mapped here%s",
                       name, idmap_kind_name(request->kind),
                       request->kind == SUBID_UID ? ", or uid 0 is asked for without CAP_SETFCAP"
                                                  : "");
    return n < 0 ? err_sys(err, errno, "write to %s failed", name) : 0;
}

static bool maps_root(const struct idmap_request *request)
{
    for (size_t i = 0; i < request->extents.n; i++)
        if (request->kind == SUBID_UID && request->extents.list[i].outside == 0)
            return true;
    return false;
}

/* Runs without any capability: opens files for reading, as the caller. */
static int check(const struct idmap_request *request, int etc_fd, int *ret_target_fd,
                 bool *ret_granted, struct err *err)
{
    uid_t target_uid = 0;
    gid_t target_gid = 0;
    struct idmap_caller caller;
    int fd = idmap_target_open(&request->target, &target_uid, &target_gid, err);
    if (fd < 0)
        return fd;
    *ret_target_fd = fd;
    int r = idmap_caller_find(etc_fd, getuid(), getgid(), &caller, err);
    if (r == 0)
        r = idmap_policy_target(&caller, etc_fd, target_uid, target_gid, err);
    if (r == 0)
        r = idmap_policy_extents(&caller, etc_fd, request->kind, &request->extents, ret_granted,
                                 err);
    return r;
}

int idmap_apply(const struct idmap_privilege *privilege, const struct idmap_request *request,
                struct err *err)
{
    static char text[IDMAP_TEXT_MAX];
    int len = idmap_extents_format(&request->extents, (size_t)getpagesize(), text, err);
    if (len < 0)
        return len;

    cleanup_close int etc_fd = open("/etc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (etc_fd < 0)
        return err_sys(err, errno, "cannot open /etc");
    cleanup_close int target_fd = -EBADF;
    bool granted = false;
    int r = check(request, etc_fd, &target_fd, &granted, err);
    if (r == -EPERM && err)
        idmap_log_refusal(request->kind, getuid(), err->msg);
    if (r < 0)
        return r;

    r = idmap_raise(privilege, maps_root(request), err);
    if (r < 0)
        return r;
    struct idmap_files files = {.map_fd = -EBADF, .setgroups_fd = -EBADF};
    r = open_files(target_fd, request->kind, request->kind == SUBID_GID && !granted, &files, err);
    if (r == 0)
        r = idmap_confine(files.map_fd, files.setgroups_fd, err);
    if (r == 0 && files.setgroups_fd >= 0)
        r = write_deny(files.setgroups_fd, err);
    if (r == 0)
        r = write_map(files.map_fd, request, text, (size_t)len, err);
    int dropped = idmap_drop();
    if (r == 0 && dropped < 0)
        r = err_sys(err, -dropped, "Could not drop caps");
    (void)fd_close(files.map_fd);
    (void)fd_close(files.setgroups_fd);
    return r;
}
