#include "lib/subid/place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"

const char *subid_name(enum subid_kind kind)
{
    return kind == SUBID_UID ? "subuid" : "subgid";
}

/* "etc" below @p root_fd, with links resolved as after a chroot to it (Linux 5.6). */
static int open_etc_within(int root_fd)
{
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    long fd = syscall(SYS_openat2, root_fd, "etc", &how, sizeof how);
    return fd < 0 ? -errno : (int)fd;
}

int subid_place_open(struct subid_place *place, const char *root, struct err *err)
{
    bool live = !root || strcmp(root, "/") == 0;
    *place = (struct subid_place){.etc_fd = -EBADF, .live = live};
    if (live) {
        place->etc_fd = open("/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return place->etc_fd < 0 ? err_sys(err, errno, "cannot open /etc") : 0;
    }
    if (str_copy(place->root, sizeof place->root, root) < 0)
        return err_set(err, ENAMETOOLONG, "--root: the path is longer than %d bytes", PATH_MAX);
    size_t len = strlen(place->root);
    while (len > 1 && place->root[len - 1] == '/')
        place->root[--len] = '\0';
    cleanup_close int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0)
        return err_sys(err, errno, "--root: cannot open \"%s\"", root);
    place->etc_fd = open_etc_within(root_fd);
    if (place->etc_fd < 0)
        return err_sys(err, -place->etc_fd, "--root: cannot open %s/etc", place->root);
    return 0;
}

void subid_place_close(struct subid_place *place)
{
    place->etc_fd = fd_close(place->etc_fd);
}

int subid_place_refused(const struct subid_place *place, const char *name, int code,
                        struct err *err)
{
    if (code == EROFS)
        return err_set(err, code, "cannot write %s/etc/%s: the file system is mounted read-only",
                       place->root, name);
    if (code == EBUSY || code == EXDEV)
        return err_set(err, code,
                       "cannot replace %s/etc/%s: a mount point of its own, unmount it first",
                       place->root, name);
    if (code == EACCES || code == EPERM)
        return err_set(err, code, "cannot write %s/etc/%s: permission denied%s", place->root, name,
                       geteuid() == 0 ? " (is it immutable? lsattr shows it)"
                                      : ", run this as root");
    return err_sys(err, code, "cannot write %s/etc/%s", place->root, name);
}
