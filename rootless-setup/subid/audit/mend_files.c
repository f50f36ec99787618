#include "rootless-setup/subid/audit/mend.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "rootless-setup/subid/audit/files.h"

/* ---- mode and owner ---- */

static void find_looks(enum subid_kind kind, const struct stat *was, const struct stat *is,
                       struct audit_findings *mended)
{
    struct audit_finding finding = {.kind = kind, .rule = AUDIT_FILE_OWNER};
    if (was->st_uid != is->st_uid)
        audit_find(mended, finding, "it belongs to uid %u now, no longer to %u", is->st_uid,
                   was->st_uid);
    finding.rule = AUDIT_FILE_WRITABLE;
    if (was->st_mode != is->st_mode)
        audit_find(mended, finding, "its mode is %04o now, no longer %04o", is->st_mode & 07777,
                   was->st_mode & 07777);
}

static int mend_looks(const struct subid_place *place, enum subid_kind kind, bool dry_run,
                      struct audit_findings *mended, struct err *err)
{
    struct stat was, is;
    cleanup_close int fd = subid_open(place->etc_fd, kind, err);
    if (fd == -ENOENT)
        return 0;
    if (fd < 0)
        return fd;
    if (fstat(fd, &was) < 0)
        return err_sys(err, errno, "cannot stat %s%s", place->root, subid_path(kind));
    if (!audit_looks_mended(place, &was, &is))
        return 0;
    if (!dry_run && ((was.st_uid != is.st_uid && fchown(fd, is.st_uid, (gid_t)-1) < 0) ||
                     fchmod(fd, is.st_mode & 07777) < 0))
        return subid_place_refused(place, subid_name(kind), errno, err);
    find_looks(kind, &was, &is, mended);
    return 0;
}

/* ---- leftovers ---- */

static int remove_leftover(const struct subid_place *place, const char *name, bool dry_run,
                           struct audit_findings *mended, struct err *err)
{
    struct audit_finding finding = {.no_file = true, .rule = AUDIT_LEFTOVER};
    if (audit_name_rule(place, name, !dry_run) != AUDIT_LEFTOVER)
        return 0;
    if (!dry_run && unlinkat(place->etc_fd, name, 0) < 0)
        return errno == ENOENT ? 0 : subid_place_refused(place, name, errno, err);
    if (asprintf(&finding.name, "%s/etc/%s", place->root, name) < 0)
        finding.name = NULL;
    audit_find(mended, finding, "is removed");
    return 0;
}

static int remove_leftovers(const struct subid_place *place, bool dry_run,
                            struct audit_findings *mended, struct err *err)
{
    int fd = openat(place->etc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        r = err_sys(err, errno, "cannot list %s/etc", place->root);
        (void)fd_close(fd);
        return r;
    }
    for (const struct dirent *item = readdir(dir); item && r == 0; item = readdir(dir))
        r = remove_leftover(place, item->d_name, dry_run, mended, err);
    (void)closedir(dir);
    return r;
}

int audit_mend_files(const struct subid_place *place, bool dry_run, struct audit_findings *mended,
                     struct err *err)
{
    int r = remove_leftovers(place, dry_run, mended, err);
    for (int kind = SUBID_UID; kind <= SUBID_GID && r == 0; kind++)
        r = mend_looks(place, (enum subid_kind)kind, dry_run, mended, err);
    return r;
}
