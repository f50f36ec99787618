#include "rootlesskit/gateway/inward.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/fd.h"
#include "rootlesskit/gateway/dial.h"
#include "rootlesskit/gateway/listener.h"
#include "rootlesskit/gateway/relay.h"

/* Made at the order of the parent. */
struct inward_socket {
    struct listener listener;
    struct loop_grave grave;
    struct inward_socket *next;
    struct worker *worker;
    struct sockaddr_storage to;
    uint32_t id, seat;
};

static void on_client(struct listener *listener, int take_sock, const struct sockaddr_storage *peer)
{
    struct inward_socket *socket = loop_owner(listener, struct inward_socket, listener);
    (void)peer;
    int fd = dial(&socket->to, SOCK_STREAM, true);
    if (fd < 0) {
        stats_failed(&socket->worker->stats, STATS_PUBLISHED, -fd);
        relay_reset(take_sock);
        return;
    }
    (void)relay_join_connecting(socket->worker, take_sock, fd, socket->id);
}

/* The service may have left it blocking; it has no use for it any more. */
static int prepare(int fd)
{
    const int on = 1; /* accepted sockets inherit both */
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
    return 0;
}

int inward_add(struct inward *inward, uint32_t id, uint32_t seat, int take_listen,
               const struct sockaddr_storage *to)
{
    struct inward_socket *socket = calloc(1, sizeof *socket);
    int r = socket ? prepare(take_listen) : -ENOMEM;
    if (r >= 0) {
        socket->worker = inward->worker;
        socket->to = *to;
        socket->id = id;
        socket->seat = seat;
        r = listener_start(&socket->listener, inward->worker, take_listen, on_client);
    }
    if (r < 0) {
        fd_close(take_listen);
        free(socket);
        return r;
    }
    socket->next = inward->sockets;
    inward->sockets = socket;
    return 0;
}

static void free_socket(struct loop_grave *grave)
{
    free(loop_owner(grave, struct inward_socket, grave));
}

static void close_socket(struct inward_socket *socket)
{
    listener_stop(&socket->listener);
    worker_timer_forget(socket->worker, &socket->listener.retry);
    fd_close(socket->listener.fd);
    socket->grave.free_fn = free_socket;
    loop_bury(&socket->worker->loop, &socket->grave);
}

void inward_close(struct inward *inward, uint32_t id, uint32_t seat)
{
    struct inward_socket **place = &inward->sockets;
    while (*place) {
        struct inward_socket *socket = *place;
        if (socket->id != id || (seat != 0 && socket->seat != seat)) {
            place = &socket->next;
            continue;
        }
        *place = socket->next;
        close_socket(socket);
    }
}

void inward_end(struct inward *inward, uint32_t id)
{
    inward_close(inward, id, 0);
    relay_end_all(inward->worker, id);
}
