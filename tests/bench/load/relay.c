/* The subcommand, what all ways share, and the gateway's own way. */
#include "tests/bench/load/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "rootlesskit/gateway/relay.h"
#include "rootlesskit/gateway/worker.h"
#include "tests/bench/load/load.h"

int relay_listen(int listener, struct err *err)
{
    return listen(listener, SOMAXCONN) < 0 ? err_sys(err, errno, "listen") : 0;
}

int relay_dial(const struct sockaddr_in *to, int flags)
{
    cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int yes = 1;

    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) < 0 ||
        connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
        return -errno;
    if (flags & SOCK_NONBLOCK && fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    return take_fd(&fd);
}

bool relay_accept(int listener, const struct sockaddr_in *to, int ret[2])
{
    cleanup_close int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (client < 0)
        return false;
    int server = relay_dial(to, SOCK_NONBLOCK);
    if (server < 0)
        return false;
    ret[0] = take_fd(&client);
    ret[1] = server;
    return true;
}

/* The gateway's relay, in a worker without movers. */
struct gateway {
    struct worker worker;
    struct loop_source source;
    const struct sockaddr_in *to;
};

static void join_by_gateway(struct loop_source *source, uint32_t events)
{
    struct gateway *gateway = loop_owner(source, struct gateway, source);
    int fd[2];

    (void)events;
    if (relay_accept(source->fd, gateway->to, fd))
        (void)relay_join(&gateway->worker, fd[0], fd[1], 1);
}

static int relay_gateway(int listener, const struct sockaddr_in *to, struct err *err)
{
    static struct gateway gateway;

    gateway.to = to;
    int r = worker_init(&gateway.worker, err);
    if (r < 0 || (r = relay_listen(listener, err)) < 0)
        return r;
    r = loop_add(&gateway.worker.loop, &gateway.source, listener, EPOLLIN, join_by_gateway);
    if (r < 0)
        return err_sys(err, -r, "epoll");
    return loop_run(&gateway.worker.loop, err);
}

#ifndef HAVE_LIBURING
int relay_uring(int listener, const struct sockaddr_in *to, struct err *err)
{
    (void)listener;
    (void)to;
    return err_set(err, ENOSYS, "built without liburing: install liburing-dev and build again");
}
#endif

static const struct {
    const char *name;
    relay_way_fn *run;
} WAYS[] = {
    {"gateway", relay_gateway}, {"splice", relay_splice}, {"copy-64k", relay_copy_64k},
    {"copy-1m", relay_copy_1m}, {"uring", relay_uring},
};

int load_relay(char **argv, struct err *err)
{
    cleanup_close int listener = -EBADF;
    struct sockaddr_in to;
    const int yes = 1;

    int r = load_address(argv + 3, &to, err);
    if (r < 0)
        return r;
    listener = load_bind(argv + 1, SOCK_STREAM | SOCK_NONBLOCK, err);
    if (listener < 0)
        return listener;
    (void)signal(SIGPIPE, SIG_IGN); /* splice(2) has no MSG_NOSIGNAL */
    /* Accepted sockets inherit it. */
    if (setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)) < 0)
        return err_sys(err, errno, "TCP_NODELAY");
    for (size_t i = 0; i < sizeof(WAYS) / sizeof(*WAYS); i++)
        if (str_equal(argv[0], WAYS[i].name))
            return WAYS[i].run(listener, &to, err);
    return err_set(err, EINVAL, "no way of relaying: %s", argv[0]);
}
