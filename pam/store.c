#include "pam/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "pam/folder.h"

#define PARENT "/run/rootless-toolkit"
#define FOLDER PARENT "/pam"
#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define POLL_MS 10

static int open_folder(struct err *err)
{
    cleanup_close int run = folder_open("/run");
    if (run < 0)
        return err_sys(err, -run, "cannot open /run");
    cleanup_close int parent = folder_make_root(run, "rootless-toolkit", 0755, PARENT, err);
    return parent < 0 ? parent : folder_make_root(parent, "pam", 0700, FOLDER, err);
}

static int flock_within(int fd, int64_t deadline)
{
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -errno;
        if (clock_ms() >= deadline)
            return -EBUSY;
        const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
        (void)nanosleep(&pause, NULL);
    }
    return 0;
}

/* The last to leave removes the file: a lock on one that has no name any more is worth nothing. */
static bool is_named(const struct store *store, int fd)
{
    struct stat ours, named;
    return fstat(fd, &ours) == 0 &&
           fstatat(store->dir_fd, store->lock_name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

static int lock(struct store *store, unsigned wait_ms, struct err *err)
{
    int64_t deadline = clock_ms() + wait_ms;
    for (;;) {
        cleanup_close int fd = openat(store->dir_fd, store->lock_name,
                                      O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return err_sys(err, errno, "cannot open %s/%s", FOLDER, store->lock_name);
        int r = flock_within(fd, deadline);
        if (r == -EBUSY)
            return err_set(err, EBUSY,
                           "%s/%s is still locked after %u s by another login or logout", FOLDER,
                           store->lock_name, wait_ms / 1000);
        if (r < 0)
            return err_sys(err, -r, "cannot lock %s/%s", FOLDER, store->lock_name);
        if (is_named(store, fd)) {
            store->lock_fd = take_fd(&fd);
            return 0;
        }
    }
}

int store_open(struct store *store, uid_t uid, unsigned wait_ms, struct err *err)
{
    *store = (struct store){.dir_fd = -EBADF, .lock_fd = -EBADF};
    (void)str_format(store->name, sizeof store->name, "%u", uid);
    (void)str_format(store->lock_name, sizeof store->lock_name, "%u.lock", uid);
    (void)str_format(store->part_name, sizeof store->part_name, "%u.part", uid);
    /* Without /proc every boot is the same one; /run is empty after each, nearly everywhere. */
    if (file_read_into(AT_FDCWD, BOOT_ID, store->boot, sizeof store->boot, NULL) < 0)
        (void)str_copy(store->boot, sizeof store->boot, "unknown");
    store->boot[strcspn(store->boot, " \n")] = '\0';
    store->dir_fd = open_folder(err);
    return store->dir_fd < 0 ? store->dir_fd : lock(store, wait_ms, err);
}

int store_load(const struct store *store, struct state *ret, struct err *err)
{
    static char text[STATE_TEXT_MAX];
    memset(ret, 0, sizeof *ret);
    (void)str_copy(ret->boot, sizeof ret->boot, store->boot);
    int len = file_read_into(store->dir_fd, store->name, text, sizeof text, NULL);
    if (len == -ENOENT)
        return 0;
    int r = len < 0 ? len : state_parse(text, (size_t)len, ret);
    return r < 0 ? err_sys(err, -r,
                           "%s/%s cannot be read, the sessions in it are forgotten and what was "
                           "made for them stays",
                           FOLDER, store->name)
                 : 0;
}

int store_save(const struct store *store, const struct state *state, struct err *err)
{
    static char text[STATE_TEXT_MAX];
    if (state_is_empty(state)) {
        if (unlinkat(store->dir_fd, store->name, 0) < 0 && errno != ENOENT)
            return err_sys(err, errno, "cannot remove %s/%s", FOLDER, store->name);
        (void)unlinkat(store->dir_fd, store->lock_name, 0);
        return 0;
    }
    size_t len = state_render(state, text);
    int r = file_replace(store->dir_fd, store->part_name, store->name, text, len);
    return r < 0 ? err_sys(err, -r, "cannot write %s/%s", FOLDER, store->name) : 0;
}

void store_close(struct store *store)
{
    store->lock_fd = fd_close(store->lock_fd);
    store->dir_fd = fd_close(store->dir_fd);
}
