#include "rootlesskit/gateway/publish.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "rootlesskit/gateway/listener.h"
#include "rootlesskit/gateway/relay.h"

/* Made at the order of the parent, one a published port; the path of the bytes allocates nothing.
 */
struct publish_port {
    struct listener listener;      /* TCP */
    struct datagram_port datagram; /* UDP */
    struct loop_grave grave;
    struct publish_port *next;
    struct publish *publish;
    uint32_t id;
    int fd;
    int type; /* SOCK_STREAM or SOCK_DGRAM */
    struct sockaddr_storage target;
};

static void on_client(struct listener *listener, int take_sock, const struct sockaddr_storage *peer)
{
    struct publish_port *port = loop_owner(listener, struct publish_port, listener);
    /* In this thread a new socket belongs to the child's namespace. */
    connector_join(&port->publish->connector, take_sock, peer, &port->target, port->id);
}

static int listen_on(struct publish_port *port)
{
    const int on = 1; /* accepted sockets inherit both */
    (void)setsockopt(port->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(port->fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
    return listener_start(&port->listener, &port->publish->worker, port->fd, on_client);
}

static int open_port(struct publish_port *port)
{
    socklen_t len = sizeof port->type;
    if (getsockopt(port->fd, SOL_SOCKET, SO_TYPE, &port->type, &len) < 0)
        return -errno;
    if (port->type == SOCK_DGRAM)
        return datagram_open(&port->publish->datagrams, &port->datagram, port->id, port->fd,
                             &port->target);
    return listen_on(port);
}

static void close_port(struct publish_port *port)
{
    struct worker *worker = &port->publish->worker;
    if (port->type == SOCK_DGRAM) {
        datagram_close(&port->datagram);
    } else {
        listener_stop(&port->listener);
        worker_timer_forget(worker, &port->listener.retry);
        connector_end_all(&port->publish->connector, port->id);
        relay_end_all(worker, port->id);
    }
    fd_close(port->fd);
}

/* What the main thread asks for. */
struct order {
    struct publish *publish;
    uint32_t id;
    int fd;
    int code; /* 0 or -errno */
    struct sockaddr_storage target;
};

static int add(struct publish *publish, const struct order *order)
{
    struct publish_port *port = calloc(1, sizeof *port);
    if (!port) {
        fd_close(order->fd);
        return -ENOMEM;
    }
    port->publish = publish;
    port->id = order->id;
    port->fd = order->fd;
    port->target = order->target;
    int r = open_port(port);
    if (r < 0) {
        fd_close(port->fd);
        free(port);
        return r;
    }
    port->next = publish->ports;
    publish->ports = port;
    return 0;
}

static void free_port(struct loop_grave *grave)
{
    free(loop_owner(grave, struct publish_port, grave));
}

static int remove_port(struct publish *publish, uint32_t id)
{
    for (struct publish_port **place = &publish->ports; *place; place = &(*place)->next) {
        struct publish_port *port = *place;
        if (port->id != id)
            continue;
        *place = port->next;
        close_port(port);
        port->grave.free_fn = free_port;
        loop_bury(&publish->worker.loop, &port->grave);
        return 0;
    }
    return -ENOENT;
}

static void do_add(struct worker *worker, void *arg)
{
    struct order *order = arg;
    (void)worker;
    order->code = add(order->publish, order);
}

static void do_remove(struct worker *worker, void *arg)
{
    struct order *order = arg;
    (void)worker;
    order->code = remove_port(order->publish, order->id);
}

int publish_add(struct publish *publish, uint32_t id, int take_listen,
                const struct sockaddr_storage *target)
{
    struct order order = {.publish = publish, .id = id, .fd = take_listen, .target = *target};
    int r = worker_ask(&publish->worker, do_add, &order);
    if (r < 0)
        fd_close(take_listen);
    return r < 0 ? r : order.code;
}

int publish_remove(struct publish *publish, uint32_t id)
{
    struct order order = {.publish = publish, .id = id};
    int r = worker_ask(&publish->worker, do_remove, &order);
    return r < 0 ? r : order.code;
}

int publish_init(struct publish *publish, struct movers *movers, bool as_client, struct err *err)
{
    publish->ports = NULL;
    int r = worker_init(&publish->worker, err);
    publish->worker.movers = movers;
    if (r >= 0)
        r = connector_init(&publish->connector, &publish->worker, as_client, err);
    return r >= 0 ? datagrams_init(&publish->datagrams, &publish->worker, err) : r;
}

void publish_run(struct publish *publish)
{
    (void)loop_run(&publish->worker.loop, NULL);
}
