#include "rootless-setup/check/fuse.h"

#include <errno.h>
#include <fcntl.h>

#include "lib/base/fd.h"
#include "lib/base/proc.h"
#include "rootless-setup/check/explain.h"
#include "rootless-setup/check/probe.h"

bool fuse_overlayfs_usable(char *ret_path, size_t size, int *ret_errno)
{
    cleanup_close int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    *ret_errno = fd < 0 ? errno : 0;
    if (proc_find("fuse-overlayfs", ret_path, size) < 0)
        ret_path[0] = '\0';
    return fd >= 0 && ret_path[0];
}

/* Only a hint here: what its absence costs depends on overlay, whose probe says so. */
void probe_fuse(const struct check_context *context, struct check_result *result)
{
    char path[4096];
    int code;
    if (fuse_overlayfs_usable(path, sizeof path, &code)) {
        check_say(result, CHECK_OK, "opened /dev/fuse; %s is installed", path);
        return;
    }
    if (code != 0)
        check_say_errno(result, CHECK_HINT, code, "opening /dev/fuse");
    else
        check_say(result, CHECK_HINT, "looked for fuse-overlayfs in $PATH");
    check_cause(result,
                "file systems in user space, fuse-overlayfs first, are not available; where "
                "overlay works nothing is lost");
    result->fixable = code == ENOENT || code == ENODEV || code == EACCES;
    if (code == ENOENT || code == ENODEV)
        remedy_modules(result, "fuse", "fuse");
    else if (code == EACCES)
        check_remedy(result, REMEDY_ROOT, "chmod 0666 /dev/fuse");
    if (path[0] == '\0')
        distro_remedy_install(&context->distro, PACKAGE_FUSE_OVERLAYFS, result);
}
