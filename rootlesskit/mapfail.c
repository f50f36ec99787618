#include "rootlesskit/mapfail.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include "lib/base/proc.h"

/* By its file only: whether the kernel honours the bits is another question. */
static bool has_privilege(const char *path)
{
    struct stat st;
    return getxattr(path, "security.capability", NULL, 0) > 0 ||
           (stat(path, &st) == 0 && st.st_uid == 0 && (st.st_mode & S_ISUID));
}

static bool is_nosuid(const char *path)
{
    struct statvfs fs;
    return statvfs(path, &fs) == 0 && (fs.f_flag & ST_NOSUID);
}

const char *mapfail_hint(enum subid_kind kind, const char *program, char *buf, size_t size)
{
    char path[PATH_MAX];
    const char *cap = kind == SUBID_UID ? "cap_setuid" : "cap_setgid";
    if (proc_find(program, path, sizeof path) < 0)
        (void)snprintf(buf, size, "rootless-setup check finds the cause");
    else if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
        (void)snprintf(buf, size,
                       "no_new_privs is set on this process (a container or a service with "
                       "NoNewPrivileges=yes sets it), which takes away %s's %s: start rootlesskit "
                       "without it",
                       program, cap);
    else if (is_nosuid(path))
        (void)snprintf(buf, size,
                       "%s is on a file system mounted nosuid, which takes its %s away: install it "
                       "elsewhere, or mount that without nosuid",
                       path, cap);
    else if (!has_privilege(path))
        (void)snprintf(buf, size,
                       "%s has neither a file capability nor the setuid bit: sudo setcap %s+ep %s",
                       path, cap, path);
    else
        (void)snprintf(buf, size, "rootless-setup check newuidmap finds the cause");
    return buf;
}
