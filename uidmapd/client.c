/*
 * rootless-uidmap-client: newuidmap and newgidmap where no file may carry a capability.
 *
 * They become this program, under their own name and with their own words, when they hold nothing
 * themselves and uidmapd is there. It has no privilege either: it reads the command line, opens the
 * target, hands both to uidmapd, and says what uidmapd says.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/fd.h"
#include "lib/base/msg.h"
#include "lib/base/str.h"
#include "uidmapd/protocol.h"

/** Longer than uidmapd keeps anybody waiting: only one that is stuck is given up. */
#define PATIENCE_S 120

static int set_patience(int sock)
{
    struct timeval t = {.tv_sec = PATIENCE_S};
    if (setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t) < 0 ||
        setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t) < 0)
        return -errno;
    return 0;
}

static int connect_broker(struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = UIDMAPD_SOCKET};
    cleanup_close int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (sock < 0 || set_patience(sock) < 0)
        return err_sys(err, errno, "cannot make a socket");
    if (connect(sock, (struct sockaddr *)&address, sizeof address) == 0)
        return take_fd(&sock);
    if (errno == ECONNREFUSED || errno == ENOENT)
        return err_set(err, errno,
                       "uidmapd is not running: nobody listens at %s; as root, start it (systemctl "
                       "start uidmapd.socket)",
                       UIDMAPD_SOCKET);
    if (errno == EAGAIN)
        return err_set(err, ETIMEDOUT, "uidmapd takes no connection within %d seconds", PATIENCE_S);
    return err_sys(err, errno, "cannot connect to uidmapd at %s", UIDMAPD_SOCKET);
}

/* One that refuses before it has read the request resets the connection; its answer comes after
 * that news. */
static int receive(int sock, struct uidmapd_answer *ret, struct err *err)
{
    int r = msg_recv(sock, ret, sizeof *ret, NULL, NULL);
    if (r == -ECONNRESET)
        r = msg_recv(sock, ret, sizeof *ret, NULL, NULL);
    if (r == -EAGAIN)
        return err_set(err, ETIMEDOUT, "uidmapd did not answer within %d seconds", PATIENCE_S);
    if (r == 0 || r == -ECONNRESET)
        return err_set(err, ECONNRESET,
                       "uidmapd ended without an answer: it was stopped, or the request took too "
                       "long; look at the map, and try again");
    if (r < 0)
        return err_sys(err, -r, "cannot understand uidmapd");
    return 0;
}

static int ask(const struct idmap_request *request, int target_fd, struct err *err)
{
    static struct uidmapd_request message;
    struct uidmapd_answer answer = {0};
    cleanup_close int sock = connect_broker(err);
    if (sock < 0)
        return sock;
    uidmapd_request_make(request, &message);
    int r = msg_send(sock, &message, sizeof message, &target_fd, 1);
    if (r < 0 && r != -EPIPE && r != -ECONNRESET)
        return err_sys(err, -r, "cannot send the request to uidmapd");
    r = receive(sock, &answer, err);
    if (r < 0 || answer.code == 0)
        return r;
    answer.text[sizeof answer.text - 1] = '\0';
    return err_set(err, answer.code > 0 ? answer.code : EPROTO, "%s", answer.text);
}

static int run(enum subid_kind kind, int argc, char **argv, const char **ret_usage, struct err *err)
{
    static struct idmap_request request;
    uid_t uid;
    gid_t gid;
    if (getuid() != geteuid() || getgid() != getegid())
        return err_set(err, EPERM,
                       "real and effective ids differ (uid %u and %u, gid %u and %u): call this "
                       "from a process that is wholly one user",
                       getuid(), geteuid(), getgid(), getegid());
    int r = idmap_parse(kind, argc - 1, argv + 1, &request, err);
    if (r < 0) {
        *ret_usage = kind == SUBID_UID ? IDMAP_UID_USAGE : IDMAP_GID_USAGE;
        return r;
    }
    int fd = idmap_target_open(&request.target, &uid, &gid, err);
    return fd < 0 ? fd : ask(&request, fd, err);
}

int main(int argc, char **argv)
{
    struct err err = {0};
    const char *usage = "", *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    const char *name = slash ? slash + 1 : argc > 0 ? argv[0] : "";
    bool uid = str_equal(name, "newuidmap");
    if (fd_fill_std() < 0)
        return 1;
    if (!uid && !str_equal(name, "newgidmap"))
        (void)err_set(&err, EINVAL, "this is run by newuidmap and newgidmap, under their names");
    else
        (void)run(uid ? SUBID_UID : SUBID_GID, argc, argv, &usage, &err);
    if (err.code == 0)
        return 0;
    char text[ERR_MSG_MAX + 256];
    int len = str_format(text, sizeof text, "%s: %s\n%s", name, err.msg, usage);
    if (len > 0)
        (void)!write(STDERR_FILENO, text, (size_t)len);
    return 1;
}
