#include "lib/subid/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "lib/subid/line.h"

#define PWD_LOCK ".pwd.lock"
#define POLL_MS 10
#define NAME_SIZE 64

/* ---- waiting ---- */

static uint64_t now_ms(void)
{
    struct timespec ts = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void pause_briefly(void)
{
    const struct timespec ts = {.tv_nsec = POLL_MS * 1000000L};
    (void)nanosleep(&ts, NULL);
}

/* "process 4711 (vipw)" */
static const char *describe_process(pid_t pid, char *buf, size_t size)
{
    char path[NAME_SIZE], name[NAME_SIZE] = "";
    (void)str_format(path, sizeof path, "/proc/%d/comm", pid);
    if (file_read_into(AT_FDCWD, path, name, sizeof name, NULL) > 0)
        name[strcspn(name, "\n")] = '\0';
    (void)snprintf(buf, size, "process %d%s%s%s", pid, name[0] ? " (" : "", name,
                   name[0] ? ")" : "");
    return buf;
}

static int held_by(const struct subid_place *place, const char *file, pid_t pid, struct err *err)
{
    char who[2 * NAME_SIZE];
    return err_set(err, EBUSY, "%s/etc/%s is locked by %s: try again when that is done",
                   place->root, file, describe_process(pid, who, sizeof who));
}

/* ---- the record lock ---- */

static int open_pwd_lock(const struct subid_place *place, struct err *err)
{
    int flags = O_WRONLY | O_CLOEXEC | O_NOFOLLOW | (place->live ? O_CREAT : 0);
    int fd = openat(place->etc_fd, PWD_LOCK, flags, 0600);
    if (fd < 0 && errno == ENOENT && !place->live)
        return -ENOENT;
    return fd < 0 ? subid_place_refused(place, PWD_LOCK, errno, err) : fd;
}

static int lock_pwd(struct subid_lock *lock, uint64_t deadline, struct err *err)
{
    cleanup_close int fd = open_pwd_lock(lock->place, err);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    for (;;) {
        struct flock record = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        if (fcntl(fd, F_SETLK, &record) == 0)
            break;
        if (errno != EAGAIN && errno != EACCES)
            return err_sys(err, errno, "cannot lock %s/etc/%s", lock->place->root, PWD_LOCK);
        if (now_ms() >= deadline) {
            bool known = fcntl(fd, F_GETLK, &record) == 0 && record.l_type != F_UNLCK;
            return known ? held_by(lock->place, PWD_LOCK, record.l_pid, err)
                         : err_set(err, EBUSY, "%s/etc/%s is locked by another process: try again",
                                   lock->place->root, PWD_LOCK);
        }
        pause_briefly();
    }
    lock->pwd_fd = take_fd(&fd);
    return 0;
}

/* ---- the links ---- */

static void lock_name(char *buf, size_t size, enum subid_kind kind, const char *end)
{
    (void)str_format(buf, size, "%s.%s", subid_name(kind), end);
}

/* The pid in a lock file; -ENOENT when the file is gone, -EINVAL when there is none in it. */
static int read_holder(int etc_fd, const char *name, pid_t *ret)
{
    char text[32];
    int n = file_read_into(etc_fd, name, text, sizeof text, NULL);
    if (n < 0)
        return n == -EFBIG ? -EINVAL : n;
    size_t len = strnlen(text, (size_t)n);
    while (len > 0 && text[len - 1] == '\n')
        len--;
    uint64_t pid = 0;
    if (!subid_number(text, len, INT32_MAX, &pid) || pid == 0)
        return -EINVAL;
    *ret = (pid_t)pid;
    return 0;
}

/* Our own pid in a lock that we do not hold is that of a process before us. */
static bool is_stale(pid_t pid)
{
    return pid == getpid() || (kill(pid, 0) < 0 && errno == ESRCH);
}

/*
 * Removes a lock whose holder is gone. It is renamed away first and looked at again: were it
 * unlinked under its own name, a fresh lock that somebody made since we read it would go.
 */
static int remove_stale(int etc_fd, const char *name, pid_t dead)
{
    char away[NAME_SIZE];
    (void)str_format(away, sizeof away, "%s.%d", name, getpid());
    if (renameat(etc_fd, name, etc_fd, away) < 0)
        return errno == ENOENT ? 0 : -errno;
    pid_t holder = 0;
    int r = 0;
    if (read_holder(etc_fd, away, &holder) == 0 && holder != dead &&
        linkat(etc_fd, away, etc_fd, name, 0) < 0)
        r = -errno;
    (void)unlinkat(etc_fd, away, 0);
    return r;
}

/* A file with our pid, as shadow writes it: digits and a NUL. */
static int write_pid_file(int etc_fd, const char *name)
{
    char pid[16];
    int len = str_format(pid, sizeof pid, "%d", getpid());
    (void)unlinkat(etc_fd, name, 0);
    cleanup_close int fd =
        openat(etc_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    int r = file_write_full(fd, pid, (size_t)len + 1);
    if (r < 0)
        (void)unlinkat(etc_fd, name, 0);
    return r;
}

/* One try. @return 0, -EEXIST (somebody's lock is there), -errno */
static int link_once(int etc_fd, enum subid_kind kind, const char *lock_file)
{
    char own[NAME_SIZE], pid[16];
    (void)str_format(pid, sizeof pid, "%d", getpid());
    lock_name(own, sizeof own, kind, pid);
    int r = write_pid_file(etc_fd, own);
    if (r < 0)
        return r;
    if (linkat(etc_fd, own, etc_fd, lock_file, 0) < 0)
        r = -errno;
    (void)unlinkat(etc_fd, own, 0);
    return r;
}

static void block_signals(struct subid_lock *lock)
{
    sigset_t ending;
    (void)sigemptyset(&ending);
    (void)sigaddset(&ending, SIGINT);
    (void)sigaddset(&ending, SIGTERM);
    (void)sigaddset(&ending, SIGHUP);
    (void)sigaddset(&ending, SIGQUIT);
    lock->blocked = pthread_sigmask(SIG_BLOCK, &ending, &lock->old_mask) == 0;
}

static void unblock_signals(struct subid_lock *lock)
{
    if (lock->blocked)
        (void)pthread_sigmask(SIG_SETMASK, &lock->old_mask, NULL);
    lock->blocked = false;
}

static void unlink_locks(struct subid_lock *lock)
{
    for (int kind = SUBID_GID; kind >= SUBID_UID; kind--) {
        char name[NAME_SIZE];
        lock_name(name, sizeof name, (enum subid_kind)kind, "lock");
        if (lock->linked[kind])
            (void)unlinkat(lock->place->etc_fd, name, 0);
        lock->linked[kind] = false;
    }
}

/* What to make of a lock that is there. @return 0: try again; -EAGAIN: wait; -errno: give up */
static int judge_lock(const struct subid_place *place, const char *name, pid_t *ret_holder,
                      struct err *err)
{
    int r = read_holder(place->etc_fd, name, ret_holder);
    if (r == -ENOENT)
        return 0;
    if (r == -EINVAL)
        return err_set(err, EBUSY,
                       "%s/etc/%s holds no process id: remove it when no useradd, usermod or vipw "
                       "is running",
                       place->root, name);
    if (r < 0)
        return err_sys(err, -r, "cannot read %s/etc/%s", place->root, name);
    if (!is_stale(*ret_holder))
        return -EAGAIN;
    r = remove_stale(place->etc_fd, name, *ret_holder);
    return r < 0 ? subid_place_refused(place, name, -r, err) : 0;
}

/* Both links, or none. @return 0; -EAGAIN with the holder's pid; -errno */
static int link_both(struct subid_lock *lock, const char **ret_file, pid_t *ret_holder,
                     struct err *err)
{
    int etc_fd = lock->place->etc_fd;
    int r = 0;
    for (int kind = SUBID_UID; kind <= SUBID_GID && r == 0; kind++) {
        char name[NAME_SIZE];
        lock_name(name, sizeof name, (enum subid_kind)kind, "lock");
        *ret_file = subid_name((enum subid_kind)kind);
        r = link_once(etc_fd, (enum subid_kind)kind, name);
        if (r == -EEXIST) {
            r = judge_lock(lock->place, name, ret_holder, err);
            if (r == 0)
                r = link_once(etc_fd, (enum subid_kind)kind, name);
            if (r == -EEXIST)
                r = -EAGAIN; /* somebody was quicker */
        } else if (r < 0) {
            (void)subid_place_refused(lock->place, name, -r, err);
        }
        lock->linked[kind] = r == 0;
    }
    if (r < 0)
        unlink_locks(lock);
    return r;
}

int subid_lock_take(struct subid_lock *lock, const struct subid_place *place, unsigned wait_ms,
                    struct err *err)
{
    *lock = (struct subid_lock){.place = place, .pwd_fd = -EBADF};
    uint64_t deadline = now_ms() + wait_ms;
    int r = lock_pwd(lock, deadline, err);
    if (r < 0)
        return r;
    for (;;) {
        const char *file = NULL;
        pid_t holder = 0;
        block_signals(lock);
        r = link_both(lock, &file, &holder, err);
        if (r == 0)
            return 0;
        unblock_signals(lock);
        if (r == -EAGAIN && now_ms() >= deadline)
            r = held_by(place, file, holder, err);
        if (r != -EAGAIN)
            break;
        pause_briefly();
    }
    subid_lock_release(lock);
    return r;
}

void subid_lock_release(struct subid_lock *lock)
{
    if (!lock->place)
        return;
    unlink_locks(lock);
    lock->pwd_fd = fd_close(lock->pwd_fd);
    unblock_signals(lock);
    lock->place = NULL;
}
