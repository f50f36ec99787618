#include "lib/subid/lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/birth.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/subid/line.h"

#define PWD_LOCK ".pwd.lock"
#define POLL_MS 10
#define CLOCK_SLACK_S 2 /* whole seconds, of two clocks */
#define NAME_SIZE 64
/* Names of ours on the way to and from the lock, before the pid of the process that made them. */
#define OWN_PREFIX "subid.rootless-lock."
#define AWAY_PREFIX "subid.rootless-away."

/* ---- waiting ---- */

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

static int lock_pwd(struct subid_lock *lock, int64_t deadline, struct err *err)
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
        if (clock_ms() >= deadline) {
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

static void lock_name(char *buf, size_t size, enum subid_kind kind)
{
    (void)str_format(buf, size, "%s.lock", subid_name(kind));
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

/* When a process began, in seconds since 1970; 0 when that cannot be told. */
static int64_t start_time(pid_t pid)
{
    uint64_t ticks = 0;
    struct timespec now, up;
    long per_second = sysconf(_SC_CLK_TCK);
    if (birth_of(pid, &ticks) < 0 || per_second <= 0 || clock_gettime(CLOCK_REALTIME, &now) < 0 ||
        clock_gettime(CLOCK_BOOTTIME, &up) < 0)
        return 0;
    return now.tv_sec - up.tv_sec + (int64_t)(ticks / (uint64_t)per_second);
}

/*
 * After a power cut the holder's pid is soon another process's: one that began after the lock was
 * made never held it. The clock may have been set in between, so this counts only while the record
 * lock is ours, which every holder but shadow's --prefix has.
 */
static bool is_reused(const struct subid_lock *lock, const char *name, pid_t pid)
{
    struct stat st;
    if (lock->pwd_fd < 0 || fstatat(lock->place->etc_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    return start_time(pid) > st.st_mtim.tv_sec + CLOCK_SLACK_S;
}

static bool is_gone(pid_t pid)
{
    return kill(pid, 0) < 0 && errno == ESRCH;
}

/* Our own pid in a lock that we do not hold is that of a process before us. */
static bool is_stale(const struct subid_lock *lock, const char *name, pid_t pid)
{
    return pid == getpid() || is_gone(pid) || is_reused(lock, name, pid);
}

/*
 * Removes a lock whose holder is gone. It is renamed away first and looked at again: were it
 * unlinked under its own name, a fresh lock that somebody made since we read it would go.
 */
static int remove_stale(int etc_fd, const char *name, pid_t dead)
{
    char away[NAME_SIZE];
    (void)str_format(away, sizeof away, AWAY_PREFIX "%d", getpid());
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
static int link_once(int etc_fd, const char *lock_file)
{
    char own[NAME_SIZE];
    (void)str_format(own, sizeof own, OWN_PREFIX "%d", getpid());
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
        lock_name(name, sizeof name, (enum subid_kind)kind);
        if (lock->linked[kind])
            (void)unlinkat(lock->place->etc_fd, name, 0);
        lock->linked[kind] = false;
    }
}

/* What to make of a lock that is there. @return 0: try again; -EAGAIN: wait; -errno: give up */
static int judge_lock(const struct subid_lock *lock, const char *name, pid_t *ret_holder,
                      struct err *err)
{
    const struct subid_place *place = lock->place;
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
    if (!is_stale(lock, name, *ret_holder))
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
        lock_name(name, sizeof name, (enum subid_kind)kind);
        *ret_file = subid_name((enum subid_kind)kind);
        r = link_once(etc_fd, name);
        if (r == -EEXIST) {
            r = judge_lock(lock, name, ret_holder, err);
            if (r == 0)
                r = link_once(etc_fd, name);
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

/* Removes what processes that are gone left on their way to a lock. */
static void sweep(int etc_fd)
{
    int fd = openat(etc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir)
        (void)fd_close(fd);
    for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
        const char *digits = str_after(entry->d_name, OWN_PREFIX);
        if (!digits)
            digits = str_after(entry->d_name, AWAY_PREFIX);
        uint32_t pid = 0;
        if (digits && parse_u32("", digits, 1, INT32_MAX, &pid, NULL) == 0 && is_gone((pid_t)pid))
            (void)unlinkat(etc_fd, entry->d_name, 0);
    }
    if (dir)
        (void)closedir(dir);
}

int subid_lock_take(struct subid_lock *lock, const struct subid_place *place, unsigned wait_ms,
                    struct err *err)
{
    *lock = (struct subid_lock){.place = place, .pwd_fd = -EBADF};
    int64_t deadline = clock_ms() + wait_ms;
    int r = lock_pwd(lock, deadline, err);
    if (r < 0)
        return r;
    for (;;) {
        const char *file = NULL;
        pid_t holder = 0;
        block_signals(lock);
        r = link_both(lock, &file, &holder, err);
        if (r == 0) {
            sweep(place->etc_fd);
            return 0;
        }
        unblock_signals(lock);
        if (r == -EAGAIN && clock_ms() >= deadline)
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

bool subid_lock_is_held(const struct subid_place *place)
{
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++) {
        char name[NAME_SIZE];
        pid_t holder = 0;
        lock_name(name, sizeof name, (enum subid_kind)kind);
        int r = read_holder(place->etc_fd, name, &holder);
        if (r == 0 ? !is_gone(holder) : r != -ENOENT)
            return true;
    }
    return false;
}
