/* The servers of short and of held connections. */
#include <errno.h>
#include <sys/socket.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "tests/bench/load/load.h"

int load_accept(char **argv, load_served_fn *served, struct err *err)
{
    cleanup_close int listener = load_bind(argv, SOCK_STREAM, err);

    if (listener < 0)
        return listener;
    if (listen(listener, SOMAXCONN) < 0)
        return err_sys(err, errno, "listen");
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0 && errno != ECONNABORTED && errno != EINTR)
            return err_sys(err, errno, "accept");
        if (fd >= 0)
            served(fd);
    }
}

/* A client that is gone counts the failure itself. */
static void keep(int take_fd)
{
    (void)send(take_fd, "x", 1, MSG_NOSIGNAL);
}

static void close_at_once(int take_fd)
{
    keep(take_fd);
    fd_close(take_fd);
}

int load_serve(char **argv, struct err *err)
{
    return load_accept(argv, close_at_once, err);
}

int load_hold(char **argv, struct err *err)
{
    return load_accept(argv, keep, err);
}
