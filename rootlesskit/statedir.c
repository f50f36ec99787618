#include "rootlesskit/statedir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"

#define LOCK_NAME "lock"
#define LOCK_TRIES 100 /* of 20 ms: an instance whose parent was killed needs a moment to end */

/* In the order of removal: the lock goes last, so that nobody starts among our files. */
static const char *const our_files[] = {"api.sock", "child_pid",  "resolv.conf", "hosts",
                                        "netns",    ".s4nn.sock", ".pasta.sock", ".pasta.pid",
                                        LOCK_NAME,  NULL};

/* @return 1 when the directory is new, 0 when it was there, -errno */
static int make_path(const char *path, struct err *err)
{
    char part[PATH_MAX];
    if (str_copy(part, sizeof part, path) < 0)
        return err_set(err, ENAMETOOLONG, "--state-dir: the path is too long: %s", path);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return err_sys(err, errno, "--state-dir: cannot create %s", part);
        *slash = '/';
    }
    if (mkdir(part, 0700) == 0)
        return 1;
    return errno == EEXIST ? 0 : err_sys(err, errno, "--state-dir: cannot create %s", part);
}

static int make_temporary(char *ret, size_t size, struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    if (str_format(ret, size, "%s/rootlesskitXXXXXX", tmp && tmp[0] ? tmp : "/tmp") < 0)
        return err_set(err, ENAMETOOLONG, "$TMPDIR is too long: %s", tmp);
    if (!mkdtemp(ret))
        return err_sys(err, errno, "cannot create a state directory %s", ret);
    return 0;
}

/* The length is known only now: links may make the path longer. */
static int check_length(const struct statedir *state, struct err *err)
{
    size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path) - sizeof "/api.sock";
    if (state->path[0] && strlen(state->path) <= room)
        return 0;
    return err_set(err, ENAMETOOLONG,
                   "--state-dir: %s is too long: the socket in it leaves room for %zu characters, "
                   "choose a shorter path",
                   state->path, room);
}

static int resolve(struct statedir *state, const char *path, struct err *err)
{
    char made[PATH_MAX];
    int r = 0;
    if (path)
        r = str_copy(made, sizeof made, path) < 0
                ? err_set(err, ENAMETOOLONG, "--state-dir: the path is too long: %s", path)
                : make_path(path, err);
    else
        r = make_temporary(made, sizeof made, err);
    if (r < 0)
        return r;
    bool is_new = r > 0 || !path;
    cleanup_free char *full = realpath(made, NULL);
    if (!full)
        return err_sys(err, errno, "--state-dir: cannot resolve %s", made);
    (void)str_copy(state->path, sizeof state->path, full);
    r = check_length(state, err);
    if (r < 0 && is_new)
        (void)rmdir(made);
    return r;
}

static int open_both(struct statedir *state, struct err *err)
{
    char above[PATH_MAX];
    char *slash = strrchr(state->path, '/');
    if (!slash || slash[1] == '\0' || str_copy(state->name, sizeof state->name, slash + 1) < 0)
        return err_set(err, EINVAL, "--state-dir: %s cannot be a state directory", state->path);
    (void)str_format(above, sizeof above, "%.*s", (int)(slash - state->path), state->path);
    state->above_fd = open(above[0] ? above : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (state->above_fd < 0)
        return err_sys(err, errno, "--state-dir: cannot open %s", above);
    state->fd =
        openat(state->above_fd, state->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (state->fd < 0)
        return err_sys(err, errno, "--state-dir: cannot open %s", state->path);
    struct stat st;
    if (fstat(state->fd, &st) < 0)
        return err_sys(err, errno, "--state-dir: cannot stat %s", state->path);
    if (st.st_uid != geteuid())
        return err_set(err, EPERM,
                       "--state-dir: %s belongs to uid %u, not to you (uid %u): choose a directory "
                       "of your own",
                       state->path, st.st_uid, geteuid());
    (void)flock(state->fd, LOCK_SH | LOCK_NB); /* as RootlessKit, for systemd-tmpfiles' sake */
    return 0;
}

/* One try: -EAGAIN when it is held or was removed under us by its ending owner. */
static int try_lock(struct statedir *state, struct err *err)
{
    state->lock_fd = openat(state->fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (state->lock_fd < 0 && errno == ENOENT)
        return -EAGAIN; /* the directory itself was just removed */
    if (state->lock_fd < 0)
        return err_sys(err, errno, "cannot open %s/" LOCK_NAME, state->path);
    struct stat st;
    if (flock(state->lock_fd, LOCK_EX | LOCK_NB) == 0 && fstat(state->lock_fd, &st) == 0 &&
        st.st_nlink > 0)
        return 0;
    state->lock_fd = fd_close(state->lock_fd);
    return -EAGAIN;
}

static void remove_files(const struct statedir *state, bool lock_too)
{
    for (size_t i = 0; our_files[i]; i++)
        if (lock_too || !str_equal(our_files[i], LOCK_NAME))
            (void)unlinkat(state->fd, our_files[i], 0);
}

int statedir_open(struct statedir *state, const char *path, struct err *err)
{
    int r = -EAGAIN;
    for (int i = 0; i < LOCK_TRIES && r == -EAGAIN; i++) {
        if (i > 0)
            (void)nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
        statedir_close(state);
        r = resolve(state, path, err);
        if (r >= 0)
            r = open_both(state, err);
        if (r >= 0)
            r = try_lock(state, err);
        if (r == -ENOENT)
            r = -EAGAIN; /* it vanished between two steps: its owner is ending */
    }
    if (r == -EAGAIN)
        r = err_set(err, EBUSY,
                    "failed to lock %s/" LOCK_NAME
                    ", another RootlessKit is running with the same state directory?",
                    state->path);
    if (r < 0) {
        statedir_close(state);
        return r;
    }
    remove_files(state, false);
    return 0;
}

int statedir_let_through(const struct statedir *state, struct err *err)
{
    return fchmod(state->fd, 0711) < 0
               ? err_sys(err, errno, "--state-dir: cannot open %s to others", state->path)
               : 0;
}

void statedir_remove(struct statedir *state)
{
    if (state->lock_fd >= 0) {
        remove_files(state, true);
        (void)unlinkat(state->above_fd, state->name, AT_REMOVEDIR);
    }
    statedir_close(state);
}

void statedir_close(struct statedir *state)
{
    state->lock_fd = fd_close(state->lock_fd);
    state->fd = fd_close(state->fd);
    state->above_fd = fd_close(state->above_fd);
}
