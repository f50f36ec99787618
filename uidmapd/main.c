/*
 * uidmapd: writes id maps for processes that hold no capability to do so themselves.
 *
 * Who may ask and what is granted: SECURITY.md. Who is served when: uidmapd/queue.h. How a request
 * is done: uidmapd/worker.c. This file takes the command line and the environment, and gives up
 * what is not needed.
 */
#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "lib/idmap/privilege.h"
#include "uidmapd/confine.h"
#include "uidmapd/peer.h"
#include "uidmapd/protocol.h"
#include "uidmapd/serve.h"
#include "uidmapd/socket.h"

static const char help[] =
    "Usage: uidmapd [OPTION]...\n"
    "Writes id maps for newuidmap and newgidmap where no file may carry a capability.\n\n"
    "  --socket PATH  listen there (default: " UIDMAPD_SOCKET "); not with a socket of the\n"
    "                 service manager (LISTEN_FDS)\n"
    "  --help         print this help and exit\n"
    "  --version      print the version and exit\n";

static int say(int fd, const char *text, const char *more)
{
    char line[ERR_MSG_MAX + 32];
    int len = str_format(line, sizeof line, "%s%s\n", text, more);
    if (len > 0)
        (void)file_write_full(fd, line, (size_t)len);
    return fd == STDERR_FILENO ? 1 : 0;
}

/* @return 0, 1: all was said, or -EINVAL */
static int read_options(int argc, char **argv, const char **ret_socket, struct err *err)
{
    for (int i = 1; i < argc; i++) {
        const char *value = str_after(argv[i], "--socket=");
        if (str_equal(argv[i], "--help")) {
            (void)file_write_full(STDOUT_FILENO, help, sizeof help - 1);
            return 1;
        }
        if (str_equal(argv[i], "--version")) {
            (void)say(STDOUT_FILENO, "uidmapd ", ROOTLESS_VERSION);
            return 1;
        }
        if (str_equal(argv[i], "--socket") && i + 1 < argc)
            value = argv[++i];
        if (!value || value[0] != '/')
            return err_set(err, EINVAL,
                           "\"%s\": the option there is is --socket /PATH (see --help)", argv[i]);
        *ret_socket = value;
    }
    return 0;
}

static int begin(const char *path, struct listener *ret, struct err *err)
{
    int r = listener_inherit(ret, err);
    if (r == 0)
        r = listener_bind(path ? path : UIDMAPD_SOCKET, ret, err);
    else if (r > 0 && path)
        return err_set(err, EINVAL, "--socket is of no use with a socket of the service manager");
    if (r < 0)
        return r;
    environ = NULL;
    int keep[] = {ret->fd, ret->lock_fd};
    fd_close_except(keep, 2);
    (void)umask(077);
    if (chdir("/") < 0)
        return err_sys(err, errno, "cannot change to /");
    r = peer_init(err);
    return r < 0 ? r : confine_broker(ret->path != NULL, err);
}

int main(int argc, char **argv)
{
    struct err err = {0};
    struct listener listener = {.fd = -EBADF, .lock_fd = -EBADF};
    const char *path = NULL;
    if (fd_fill_std() < 0)
        return 1;
    int r = read_options(argc, argv, &path, &err);
    if (r < 0) {
        (void)say(STDERR_FILENO, "uidmapd: ", err.msg);
        return 2;
    }
    if (r > 0)
        return 0;
    r = begin(path, &listener, &err);
    if (r == 0)
        r = serve(&listener, listener.path == NULL, &err);
    listener_close(&listener);
    return r < 0 ? say(STDERR_FILENO, "uidmapd: ", err.msg) : 0;
}
