#include "rootless-setup/subid/audit/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "lib/subid/line.h"
#include "lib/subid/recover.h"

int audit_files_read(const struct subid_place *place, enum subid_kind kind, struct subid_db *ret,
                     struct audit_findings *findings, struct err *err)
{
    struct audit_finding finding = {.kind = kind};
    struct err why = {0};
    int r = subid_db_read(ret, place, kind, &why);
    if (r == -ELOOP)
        finding.rule = AUDIT_FILE_LINK;
    else if (r == -EINVAL || r == -ENXIO)
        finding.rule = AUDIT_FILE_TYPE;
    else if (r < 0) {
        if (err)
            *err = why;
        return r;
    } else
        return 0;
    audit_find(findings, finding, "%s", why.msg);
    return subid_db_parse(ret, kind, "", 0, err);
}

/* ---- looks ---- */

/* An image is built by whom its /etc belongs to. */
static uid_t right_owner(const struct subid_place *place)
{
    struct stat st;
    return !place->live && fstat(place->etc_fd, &st) == 0 ? st.st_uid : 0;
}

bool audit_looks_mended(const struct subid_place *place, const struct stat *st, struct stat *ret)
{
    *ret = *st;
    ret->st_mode &= (mode_t) ~(S_IWGRP | S_IWOTH);
    if (st->st_uid != 0 && st->st_uid != right_owner(place))
        ret->st_uid = right_owner(place);
    return ret->st_mode != st->st_mode || ret->st_uid != st->st_uid;
}

static void look_at_file(const struct subid_place *place, enum subid_kind kind, bool other_exists,
                         struct audit_findings *findings)
{
    struct audit_finding finding = {.kind = kind};
    struct stat st, mended;
    if (fstatat(place->etc_fd, subid_name(kind), &st, AT_SYMLINK_NOFOLLOW) < 0) {
        finding.rule = AUDIT_FILE_MISSING;
        if (errno == ENOENT && other_exists)
            audit_find(findings, finding, "there is no %s%s", place->root, subid_path(kind));
        return;
    }
    if (!S_ISREG(st.st_mode))
        return;
    (void)audit_looks_mended(place, &st, &mended);
    finding.rule = AUDIT_FILE_OWNER;
    if (st.st_uid != mended.st_uid)
        audit_find(findings, finding, "it belongs to uid %u", st.st_uid);
    finding.rule = AUDIT_FILE_WRITABLE;
    if (st.st_mode != mended.st_mode)
        audit_find(findings, finding, "its mode is %04o", st.st_mode & 07777);
    finding.rule = AUDIT_FILE_UNREADABLE;
    if (!(st.st_mode & S_IROTH))
        audit_find(findings, finding, "its mode is %04o", st.st_mode & 07777);
}

/* ---- what is left beside them ---- */

static bool is_alive(pid_t pid)
{
    return kill(pid, 0) == 0 || errno != ESRCH;
}

static bool is_pid(const char *text, pid_t *ret)
{
    struct cursor c = cursor_of(text);
    uint64_t pid = 0;
    if (!cursor_u64(&c, 10, INT32_MAX, &pid) || !cursor_done(&c) || pid == 0)
        return false;
    *ret = (pid_t)pid;
    return true;
}

/* A lock names its holder; one without is for a person to judge. */
static enum audit_rule_id lock_rule(const struct subid_place *place, const char *name)
{
    char text[32] = "";
    pid_t pid = 0;
    int n = file_read_into(place->etc_fd, name, text, sizeof text, NULL);
    if (n >= 0)
        text[strcspn(text, "\n")] = '\0';
    if (n < 0 && n != -EFBIG)
        return AUDIT_RULES;
    return n != -EFBIG && is_pid(text, &pid) && is_alive(pid) ? AUDIT_RULES : AUDIT_STALE_LOCK;
}

/*
 * shadow writes NAME.cioXXXXXX and NAME.PID, we write NAME.PID, NAME.lock.PID and NAME.rootless-*.
 * Without the locks a file may be in use: those without a pid count then only when nobody holds
 * the lock.
 */
enum audit_rule_id audit_name_rule(const struct subid_place *place, const char *name, bool held)
{
    const char *end = str_after(name, "subuid.");
    pid_t pid = 0;
    if (!end)
        end = str_after(name, "subgid.");
    if (!end)
        return AUDIT_RULES;
    if (strcmp(end, "lock") == 0)
        return held ? AUDIT_RULES : lock_rule(place, name);
    const char *lock_pid = str_after(end, "lock.");
    if (is_pid(lock_pid ? lock_pid : end, &pid))
        return is_alive(pid) ? AUDIT_RULES : AUDIT_LEFTOVER;
    if (str_after(end, "rootless-") && !held && subid_is_interrupted(place))
        return AUDIT_RULES;
    if (str_after(end, "rootless-") || (str_after(end, "cio") && strlen(end) == 9))
        return held || (faccessat(place->etc_fd, "subuid.lock", F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
                        faccessat(place->etc_fd, "subgid.lock", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
                   ? AUDIT_LEFTOVER
                   : AUDIT_RULES;
    return AUDIT_RULES;
}

static void look_at_name(const struct subid_place *place, const char *name,
                         struct audit_findings *findings)
{
    char text[32] = "";
    struct audit_finding finding = {.no_file = true, .rule = audit_name_rule(place, name, false)};
    if (finding.rule == AUDIT_RULES)
        return;
    if (asprintf(&finding.name, "%s/etc/%s", place->root, name) < 0)
        finding.name = NULL;
    if (finding.rule == AUDIT_LEFTOVER) {
        audit_find(findings, finding, "no program that would use it is running");
        return;
    }
    (void)file_read_into(place->etc_fd, name, text, sizeof text, NULL);
    text[strcspn(text, "\n")] = '\0';
    pid_t pid = 0;
    if (is_pid(text, &pid))
        audit_find(findings, finding, "process %d is gone", pid);
    else
        audit_find(findings, finding, "it names no process");
}

static void look_at_names(const struct subid_place *place, struct audit_findings *findings)
{
    int fd = openat(place->etc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        (void)fd_close(fd);
        return;
    }
    for (const struct dirent *item = readdir(dir); item; item = readdir(dir))
        look_at_name(place, item->d_name, findings);
    (void)closedir(dir);
}

void audit_find_files(const struct subid_place *place, struct audit_findings *findings)
{
    bool exists[2];
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++)
        exists[kind] = faccessat(place->etc_fd, subid_name((enum subid_kind)kind), F_OK,
                                 AT_SYMLINK_NOFOLLOW) == 0;
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++)
        look_at_file(place, (enum subid_kind)kind, exists[!kind], findings);
    struct audit_finding interrupted = {.rule = AUDIT_INTERRUPTED, .no_file = true};
    if (subid_is_interrupted(place))
        audit_find(findings, interrupted, "%s/etc has the mark of a change", place->root);
    look_at_names(place, findings);
}
