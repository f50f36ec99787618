#include "rootlesskit/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/str.h"

#define PROCS_MAX (1024 * 1024)
#define ROUNDS                                                                        \
    16 /* each takes along what the processes of the one before have forked meanwhile \
        */

/* Where systemd mounts it: alone, or beside the v1 hierarchies. */
static const char *mount_point(struct err *err)
{
    static const char *const places[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    struct statfs fs;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (statfs(places[i], &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC)
            return places[i];
    (void)err_set(err, ENOENT, "cgroup v2 is not mounted at /sys/fs/cgroup");
    return NULL;
}

static int open_own(struct err *err)
{
    char text[PATH_MAX + 1024], path[PATH_MAX + 64];
    const char *mounted = mount_point(err);
    if (!mounted)
        return -ENOENT;
    int r = file_read_into(AT_FDCWD, "/proc/self/cgroup", text, sizeof text, err);
    if (r < 0)
        return r;
    struct cursor c = cursor_of(text), line;
    while (cursor_line(&c, &line)) {
        if (line.end - line.p < 3 || memcmp(line.p, "0::", 3) != 0)
            continue;
        if (str_format(path, sizeof path, "%s%.*s", mounted, (int)(line.end - line.p - 3),
                       line.p + 3) < 0)
            break;
        int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        return fd < 0 ? err_sys(err, errno, "cannot open the cgroup %s", path) : fd;
    }
    return err_set(err, ENOENT, "/proc/self/cgroup names no cgroup v2");
}

/* @return how many were moved; a process that is gone by now, or a kernel's, stays uncounted */
static int move_all(int from_fd, int to_fd, struct err *err)
{
    cleanup_free char *procs = NULL;
    int r = file_read(from_fd, "cgroup.procs", PROCS_MAX, &procs, NULL, err);
    if (r < 0)
        return r;
    int moved = 0;
    struct cursor c = cursor_of(procs), line;
    while (cursor_line(&c, &line)) {
        char pid[16];
        (void)str_format(pid, sizeof pid, "%.*s", (int)(line.end - line.p), line.p);
        r = file_poke(to_fd, "cgroup.procs", pid, err);
        if (r >= 0)
            moved++;
        else if (r != -ESRCH)
            return r;
    }
    return moved;
}

/* One at a time: a controller that cannot be handed down does not keep the others. */
static void hand_down(int fd)
{
    char controllers[1024], word[64];
    if (file_read_into(fd, "cgroup.controllers", controllers, sizeof controllers, NULL) < 0)
        return;
    struct cursor c = cursor_of(controllers), line;
    if (!cursor_line(&c, &line))
        return;
    while (!cursor_done(&line)) {
        const char *name;
        size_t len;
        cursor_until(&line, ' ', &name, &len);
        (void)cursor_char(&line, ' ');
        if (len > 0 && str_format(word, sizeof word, "+%.*s", (int)len, name) > 0)
            (void)file_poke(fd, "cgroup.subtree_control", word, NULL);
    }
}

int cgroup_evacuate(const char *name, struct err *err)
{
    cleanup_close int own_fd = open_own(err);
    if (own_fd < 0)
        return own_fd;
    if (mkdirat(own_fd, name, 0755) < 0 && errno != EEXIST)
        return err_sys(err, errno,
                       "cannot make the cgroup %s: the one around it must be yours (start it with "
                       "systemd-run --user --scope -p Delegate=yes)",
                       name);
    cleanup_close int below_fd = openat(own_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (below_fd < 0)
        return err_sys(err, errno, "cannot open the cgroup %s", name);
    int r = 1;
    for (int i = 0; i < ROUNDS && r > 0; i++)
        r = move_all(own_fd, below_fd, err);
    if (r >= 0)
        hand_down(own_fd);
    return r < 0 ? r : 0;
}

int cgroup_mount(struct err *err)
{
    const char *mounted = mount_point(err);
    if (!mounted)
        return -ENOENT;
    /* The kernel refuses the same file system twice on one place (EBUSY): a tmpfs between them. */
    if (mount("tmpfs", mounted, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755") < 0 ||
        mount("cgroup2", mounted, "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        return err_sys(err, errno, "cannot mount the cgroup namespace's tree on %s", mounted);
    return 0;
}
