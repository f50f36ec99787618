/* How long a short message takes there and back. */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/parse.h"
#include "tests/bench/load/load.h"

#define MESSAGE 64
/* More than a loopback can do in the time of a run; what comes after is not kept. */
#define SAMPLES_MAX (1 << 20)

static bool is_sent(int fd, const char *message, size_t len)
{
    return send(fd, message, len, MSG_NOSIGNAL) == (ssize_t)len;
}

static void send_back(int take_fd)
{
    cleanup_close int fd = take_fd;
    const int yes = 1;
    char message[MESSAGE];
    ssize_t n;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    while ((n = recv(fd, message, sizeof(message), 0)) > 0)
        if (!is_sent(fd, message, (size_t)n))
            break;
}

int load_echo(char **argv, struct err *err)
{
    return load_accept(argv, send_back, err);
}

/* @return the nanoseconds it took, 0 when the connection has ended */
static uint64_t exchange(int fd)
{
    char message[MESSAGE] = {0};
    uint64_t start = load_now();

    if (!is_sent(fd, message, sizeof(message)) ||
        recv(fd, message, sizeof(message), MSG_WAITALL) != sizeof(message))
        return 0;
    return load_now() - start;
}

static int by_size(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

    return (one > other) - (one < other);
}

int load_pingpong(char **argv, struct err *err)
{
    static uint64_t took[SAMPLES_MAX];
    cleanup_close int fd = -EBADF;
    struct sockaddr_in to;
    const int yes = 1;
    uint32_t ms, n;
    int r;

    if ((r = load_address(argv, &to, err)) < 0 ||
        (r = parse_u32("milliseconds", argv[2], 1, 600000, &ms, err)) < 0)
        return r;
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) < 0 ||
        connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
        return err_sys(err, errno, "connect to %s port %s", argv[0], argv[1]);
    uint64_t end = load_now() + (uint64_t)ms * 1000000;
    for (n = 0; n < SAMPLES_MAX && load_now() < end; n++)
        if ((took[n] = exchange(fd)) == 0)
            return err_set(err, EPROTO, "the connection ended after %u messages", n);
    if (n == 0)
        return err_set(err, ETIME, "no message was exchanged");
    qsort(took, n, sizeof(*took), by_size);
    uint64_t half = took[n / 2], most = took[n - 1 - n / 100];
    printf("{\"done\": %u, \"p50_us\": %.2f, \"p99_us\": %.2f}\n", n, (double)half / 1e3,
           (double)most / 1e3);
    return 0;
}
