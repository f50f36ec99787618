/* newuidmap and newgidmap: map a scratch namespace with the user's own ranges, as engines do. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "rootless-setup/check/explain.h"
#include "rootless-setup/check/maps.h"
#include "rootless-setup/check/package.h"
#include "rootless-setup/check/probe.h"

#define PACKAGE "uidmap"
#define STATUS_MAX (64 << 20)

static int enter_unmapped(const void *arg)
{
    (void)arg;
    return unshare(CLONE_NEWUSER) < 0 ? -errno : 0;
}

static void look_at(const char *path, enum subid_kind kind, struct idmap_failure *failure)
{
    struct stat st;
    struct statvfs fs;
    char begin[3] = "";
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        (void)!read(fd, begin, 2);
    failure->script = strcmp(begin, "#!") == 0;
    bool setuid = stat(path, &st) == 0 && (st.st_mode & S_ISUID);
    failure->setuid_root = setuid && st.st_uid == 0;
    failure->setuid_other = setuid && st.st_uid != 0;
    failure->file_capability = getxattr(path, "security.capability", NULL, 0) > 0;
    failure->nosuid = statvfs(path, &fs) == 0 && (fs.f_flag & ST_NOSUID);
    failure->bounded =
        prctl(PR_CAPBSET_READ, kind == SUBID_UID ? CAP_SETUID : CAP_SETGID, 0, 0, 0) == 1;
}

static void say_failure(const struct maps_attempt *attempt, const struct err *err,
                        struct check_result *result)
{
    char how[64];
    if (attempt->status < 0)
        check_say(result, CHECK_FAILED, "%s", err->msg);
    else if (attempt->status == 0)
        check_say(result, CHECK_FAILED, "%s says all is well, but the map is not what was asked",
                  attempt->path);
    else
        check_say(result, CHECK_FAILED, "%s for %llu ids: %s%s%s", attempt->path,
                  (unsigned long long)attempt->ids, proc_describe(attempt->status, how, sizeof how),
                  attempt->said[0] ? ": " : "", attempt->said);
}

static void say_missing(const struct check_context *context, const char *program,
                        struct check_result *result)
{
    const struct idmap_failure failure = {.program = program, .path = "", .said = ""};
    check_say(result, CHECK_FAILED, "looked for %s in $PATH", program);
    explain_idmap(&failure, &context->facts, &context->distro, context->subject.name, result);
}

/* What came along with another package is gone when that is: rootless engines in use for long then
 * fail after an update. Both helpers are of one package, so newuidmap alone tells. */
static void look_at_package(const struct check_context *context, const char *path,
                            struct check_result *result)
{
    char real[PATH_MAX];
    cleanup_free char *list = NULL, *states = NULL, *status = NULL;
    if (!context->files.root && realpath(path, real))
        path = real;
    if (files_read(&context->files, "/var/lib/dpkg/info/" PACKAGE ".list", STATUS_MAX, &list) < 0 ||
        !package_has_file(list, path) ||
        files_read(&context->files, "/var/lib/apt/extended_states", STATUS_MAX, &states) < 0 ||
        !package_is_auto(states, PACKAGE) ||
        files_read(&context->files, "/var/lib/dpkg/status", STATUS_MAX, &status) < 0 ||
        package_is_wanted(status, PACKAGE))
        return;
    result->status = check_worse(result->status, CHECK_WARNING);
    check_cause(result,
                "the package " PACKAGE
                " came along with another one that is gone, so that the next "
                "apt autoremove takes %s away, and no engine starts",
                path);
    check_remedy(result, REMEDY_ROOT, "apt-mark manual " PACKAGE);
}

/* A helper of a system that does not run: what it is, without running it. */
static void look_in_image(const struct check_context *context, const char *program,
                          struct check_result *result)
{
    struct stat st;
    char path[4096], begin[3] = "";
    if (files_program(&context->files, program, path, sizeof path) < 0) {
        say_missing(context, program, result);
        return;
    }
    cleanup_close int fd = files_open(&context->files, path, O_RDONLY);
    if (fd >= 0)
        (void)!read(fd, begin, 2);
    bool setuid = fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & S_ISUID);
    const struct idmap_failure failure = {
        .program = program,
        .path = path,
        .said = "",
        .script = strcmp(begin, "#!") == 0,
        .setuid_root = setuid && st.st_uid == 0,
        .setuid_other = setuid && st.st_uid != 0,
        .file_capability = fd >= 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0,
        .bounded = true,
    };
    if (!failure.script && (failure.setuid_root || failure.file_capability)) {
        check_say(result, CHECK_OK, "%s %s", path,
                  failure.setuid_root ? "is setuid root" : "has a file capability");
        if (str_equal(program, "newuidmap"))
            look_at_package(context, path, result);
        return;
    }
    check_say(result, CHECK_FAILED, "%s has no privilege", path);
    explain_idmap(&failure, &context->facts, &context->distro, context->subject.name, result);
}

static void probe_idmap(const struct check_context *context, enum subid_kind kind,
                        struct check_result *result)
{
    static struct maps_attempt attempt;
    struct err err = {0};
    pid_t target = scratch_hold(enter_unmapped, NULL);
    if (target < 0) {
        check_say_errno(result, CHECK_FAILED, -target, "a scratch user namespace");
        return;
    }
    maps_try(target, kind, &context->subject, &attempt, &err);
    uint64_t mapped = maps_count(target, kind);
    scratch_let_go(target);
    if (attempt.path[0] == '\0') {
        say_missing(context, attempt.program, result);
        return;
    }
    if (attempt.status == 0 && mapped == attempt.ids) {
        check_say(result, CHECK_OK, "%s mapped %llu %s in a scratch namespace", attempt.path,
                  (unsigned long long)mapped, kind == SUBID_UID ? "uids" : "gids");
        if (kind == SUBID_UID)
            look_at_package(context, attempt.path, result);
        return;
    }
    struct idmap_failure failure = {
        .program = attempt.program, .path = attempt.path, .said = attempt.said};
    say_failure(&attempt, &err, result);
    look_at(attempt.path, kind, &failure);
    explain_idmap(&failure, &context->facts, &context->distro, context->subject.name, result);
}

void probe_newuidmap(const struct check_context *context, struct check_result *result)
{
    if (context->files.root)
        look_in_image(context, "newuidmap", result);
    else
        probe_idmap(context, SUBID_UID, result);
}

void probe_newgidmap(const struct check_context *context, struct check_result *result)
{
    if (context->files.root)
        look_in_image(context, "newgidmap", result);
    else
        probe_idmap(context, SUBID_GID, result);
}
