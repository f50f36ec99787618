#include "rootless-setup/engine/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"

#define END_TRIES 100 /* of 20 ms */

static pid_t read_child(int dir_fd)
{
    char text[32];
    uint64_t pid = 0;
    if (file_read_into(dir_fd, "child_pid", text, sizeof text, NULL) < 0)
        return 0;
    struct cursor c = cursor_of(text);
    return cursor_u64(&c, 10, INT32_MAX, &pid) ? (pid_t)pid : 0;
}

int instance_look(const char *state_dir, struct instance *ret, struct err *err)
{
    struct stat st;
    *ret = (struct instance){0};
    cleanup_close int dir_fd = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0 || fstat(dir_fd, &st) < 0)
        return errno == ENOENT ? 0 : err_sys(err, errno, "cannot open %s", state_dir);
    if (st.st_uid != geteuid())
        return err_set(err, EPERM, "%s belongs to uid %u, not to you (uid %u)", state_dir,
                       st.st_uid, geteuid());
    cleanup_close int lock_fd = openat(dir_fd, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (lock_fd < 0)
        return 0;
    ret->running = flock(lock_fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    ret->child = ret->running ? read_child(dir_fd) : 0;
    return 0;
}

int instance_await_end(const char *state_dir, struct instance *ret, struct err *err)
{
    int r = 0;
    for (int i = 0; i < END_TRIES; i++) {
        r = instance_look(state_dir, ret, err);
        if (r < 0 || !ret->running)
            break;
        (void)nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
    }
    return r;
}
