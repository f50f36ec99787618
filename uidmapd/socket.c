#include "uidmapd/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/fdflag.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"

/* The protocol hands fds over from here on. */
#define FIRST_PASSED 3
/** The kernel cuts it to net.core.somaxconn. */
#define BACKLOG 4096

static int check_listening(int fd, struct err *err)
{
    int type = 0, listening = 0, domain = 0;
    socklen_t len = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0)
        return err_sys(err, errno, "cannot use the fd that LISTEN_FDS names");
    if (domain != AF_UNIX || type != SOCK_SEQPACKET || !listening)
        return err_set(err, EINVAL,
                       "the fd that LISTEN_FDS names is no listening SOCK_SEQPACKET unix socket "
                       "(ListenSequentialPacket= in the socket unit)");
    return 0;
}

int listener_inherit(struct listener *ret, struct err *err)
{
    const char *pid_text = getenv("LISTEN_PID"), *n_text = getenv("LISTEN_FDS");
    uint32_t pid = 0, n = 0;
    if (!pid_text || !n_text || parse_u32("LISTEN_PID", pid_text, 1, INT32_MAX, &pid, NULL) < 0 ||
        pid != (uint32_t)getpid())
        return 0;
    if (parse_u32("LISTEN_FDS", n_text, 0, INT32_MAX, &n, NULL) < 0 || n != 1)
        return err_set(err, EINVAL, "LISTEN_FDS is %s: uidmapd takes one socket", n_text);
    int r = check_listening(FIRST_PASSED, err);
    if (r < 0)
        return r;
    (void)fdflag_cloexec(FIRST_PASSED, 1);
    (void)fdflag_nonblock(FIRST_PASSED, 1);
    *ret = (struct listener){.fd = FIRST_PASSED, .lock_fd = -EBADF};
    return 1;
}

/* A file that only root can open: a lock on the socket's folder could be taken by anybody. */
static int take_lock(const char *path, struct err *err)
{
    char lock[128];
    if (str_format(lock, sizeof lock, "%s.lock", path) < 0)
        return err_set(err, ENAMETOOLONG, "%s is too long", path);
    cleanup_close int fd =
        open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
    if (fd < 0)
        return err_sys(err, errno, "cannot open %s", lock);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK
                   ? err_set(err, EADDRINUSE, "another uidmapd is running at %s", path)
                   : err_sys(err, errno, "cannot lock %s", lock);
    return take_fd(&fd);
}

/* With the lock held: a socket nobody listens on is a dead broker's. One that somebody does listen
 * on is the service manager's, which takes no lock. */
static int remove_stale(const struct sockaddr_un *address, struct err *err)
{
    struct stat st;
    if (lstat(address->sun_path, &st) < 0)
        return errno == ENOENT ? 0 : err_sys(err, errno, "cannot look at %s", address->sun_path);
    if (!S_ISSOCK(st.st_mode))
        return err_set(err, EEXIST, "%s is there and is no socket: remove it", address->sun_path);
    cleanup_close int probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return err_sys(err, errno, "cannot make a socket");
    if (connect(probe, (const struct sockaddr *)address, sizeof *address) == 0 ||
        errno != ECONNREFUSED)
        return err_set(err, EADDRINUSE,
                       "somebody listens at %s already: the service manager (systemctl stop "
                       "uidmapd.socket), or another program",
                       address->sun_path);
    if (unlink(address->sun_path) < 0 && errno != ENOENT)
        return err_sys(err, errno, "cannot remove %s", address->sun_path);
    return 0;
}

static int make_folder(const char *path, struct err *err)
{
    char folder[sizeof((struct sockaddr_un *)0)->sun_path];
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return 0;
    (void)str_format(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    if (mkdir(folder, 0755) < 0 && errno != EEXIST)
        return err_sys(err, errno, "cannot make %s", folder);
    struct stat st;
    if (stat(folder, &st) < 0)
        return err_sys(err, errno, "cannot look at %s", folder);
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
        return err_set(err, EPERM,
                       "others may write to %s (uid %u, mode %04o), and put a socket of their own "
                       "there",
                       folder, st.st_uid, st.st_mode & 07777);
    return 0;
}

int listener_bind(const char *path, struct listener *ret, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (str_copy(address.sun_path, sizeof address.sun_path, path) < 0)
        return err_set(err, ENAMETOOLONG, "%s is too long for a socket", path);
    (void)umask(022);
    int r = make_folder(path, err);
    if (r < 0)
        return r;
    cleanup_close int lock_fd = take_lock(path, err);
    r = lock_fd < 0 ? lock_fd : remove_stale(&address, err);
    if (r < 0)
        return r;
    cleanup_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_sys(err, errno, "cannot make a socket");
    (void)umask(0111); /* everybody may connect */
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, BACKLOG) < 0)
        return err_sys(err, errno, "cannot listen at %s", path);
    *ret = (struct listener){.fd = take_fd(&fd), .lock_fd = take_fd(&lock_fd), .path = path};
    return 0;
}

void listener_close(struct listener *listener)
{
    if (listener->path)
        (void)unlink(listener->path);
    listener->fd = fd_close(listener->fd);
    listener->lock_fd = fd_close(listener->lock_fd);
}
