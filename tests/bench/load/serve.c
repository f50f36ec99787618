/* The servers of short and of held connections. */
#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "tests/bench/load/load.h"

static int serve(const char *port, bool keep, struct err *err)
{
    cleanup_close int listener = load_bind(port, SOCK_STREAM, err);

    if (listener < 0)
        return listener;
    if (listen(listener, SOMAXCONN) < 0)
        return err_sys(err, errno, "listen");
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0 && errno != ECONNABORTED && errno != EINTR)
            return err_sys(err, errno, "accept");
        if (fd < 0)
            continue;
        /* A client that is gone counts the failure itself. */
        (void)send(fd, "x", 1, MSG_NOSIGNAL);
        if (!keep)
            fd_close(fd);
    }
}

int load_serve(char **argv, struct err *err)
{
    return serve(argv[0], false, err);
}

int load_hold(char **argv, struct err *err)
{
    return serve(argv[0], true, err);
}
