/* Connections one after the other, and connections that stay open. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/parse.h"
#include "tests/bench/load/load.h"

/* All of `open` takes a second or two; a path that drops them ends it. */
#define OPEN_SECONDS 60

/* One connection. @return the fd, with the server's byte read; or -errno */
static int dial(const struct sockaddr_in *to)
{
    cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char byte;

    if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
        return -errno;
    if (recv(fd, &byte, 1, 0) != 1)
        return -EPROTO;
    return take_fd(&fd);
}

static bool succeeds(const struct sockaddr_in *to)
{
    cleanup_close int fd = dial(to);
    char byte;

    return fd >= 0 && recv(fd, &byte, 1, 0) == 0;
}

static bool is_refused(const struct sockaddr_in *to)
{
    cleanup_close int fd = dial(to);

    return fd == -ECONNREFUSED;
}

int load_dial(char **argv, struct err *err)
{
    return load_repeat(argv, succeeds, err);
}

int load_refused(char **argv, struct err *err)
{
    return load_repeat(argv, is_refused, err);
}

int load_open(char **argv, struct err *err)
{
    struct sockaddr_in to;
    uint32_t count, opened;
    char byte;
    int r;

    if ((r = load_address(argv, &to, err)) < 0 ||
        (r = parse_u32("count", argv[2], 1, 60000, &count, err)) < 0)
        return r;
    alarm(OPEN_SECONDS);
    for (opened = 0; opened < count; opened++) {
        /* Kept: they close with the process. */
        r = dial(&to);
        if (r < 0)
            return err_sys(err, -r, "connection %u", opened);
    }
    alarm(0);
    printf("{\"open\": %u}\n", opened);
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    return 0;
}
