#include "uidmapd/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"

#ifndef SO_PEERPIDFD /* Linux 6.5; headers of 6.1 */
#define SO_PEERPIDFD 77
#endif

/* The kernel prints no more of a map than one page holds as text. */
#define MAP_TEXT_MAX 16384

static struct {
    char map[MAP_TEXT_MAX];
    uint32_t overflow_uid, overflow_gid;
} own;

static int read_sysctl(const char *path, uint32_t *ret, struct err *err)
{
    char text[32];
    int r = file_read_into(AT_FDCWD, path, text, sizeof text, err);
    if (r < 0)
        return r;
    text[strcspn(text, "\n")] = '\0';
    return parse_u32(path, text, 0, UINT32_MAX, ret, err);
}

int peer_init(struct err *err)
{
    int r = file_read_into(AT_FDCWD, "/proc/self/uid_map", own.map, sizeof own.map, err);
    if (r >= 0)
        r = read_sysctl("/proc/sys/kernel/overflowuid", &own.overflow_uid, err);
    if (r >= 0)
        r = read_sysctl("/proc/sys/kernel/overflowgid", &own.overflow_gid, err);
    return r < 0 ? r : 0;
}

/* @return an fd, -ENOPROTOOPT before Linux 6.5, or another -errno: the peer has ended */
static int open_pidfd(int conn)
{
    int fd = -EBADF;
    socklen_t len = sizeof fd;
    return getsockopt(conn, SOL_SOCKET, SO_PEERPIDFD, &fd, &len) < 0 ? -errno : fd;
}

static bool has_ended(int pidfd)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    return pidfd < 0 ? pidfd != -ENOPROTOOPT : poll(&p, 1, 0) > 0;
}

/*
 * A process of our own user namespace has our map; to see that needs no right over it. What cannot
 * be read (hidepid) is let in: the kernel decides again when the map is written. The pidfd says
 * whether the pid still was the peer's after it was used.
 */
static int check_namespace(int conn, pid_t pid, struct err *err)
{
    static char map[MAP_TEXT_MAX];
    char path[64];
    cleanup_close int pidfd = open_pidfd(conn);
    if (str_format(path, sizeof path, "/proc/%d/uid_map", pid) < 0 ||
        file_read_into(AT_FDCWD, path, map, sizeof map, NULL) < 0)
        map[0] = '\0';
    if (has_ended(pidfd))
        return err_set(err, ESRCH, "the process that connected to uidmapd has ended");
    if (map[0] != '\0' && !str_equal(map, own.map))
        return err_set(err, EPERM,
                       "uidmapd serves only processes of its own user namespace: call this from "
                       "outside the container");
    return 0;
}

int peer_identify(int conn, struct peer *ret, struct err *err)
{
    struct ucred cred = {0};
    socklen_t len = sizeof cred;
    if (getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
        return err_sys(err, errno, "uidmapd cannot tell who you are");
    if (cred.pid <= 0 || cred.uid == own.overflow_uid || cred.gid == own.overflow_gid)
        return err_set(err, EPERM,
                       "uidmapd cannot tell who you are: pid %d, uid %u, gid %u (of another pid or "
                       "user namespace)",
                       cred.pid, cred.uid, cred.gid);
    int r = check_namespace(conn, cred.pid, err);
    if (r < 0)
        return r;
    *ret = (struct peer){.uid = cred.uid, .gid = cred.gid};
    return 0;
}
