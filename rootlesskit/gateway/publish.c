#include "rootlesskit/gateway/publish.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/msg.h"
#include "rootlesskit/gateway/dial.h"
#include "rootlesskit/gateway/gateway.h"
#include "rootlesskit/gateway/relay.h"

/* Made at the order of the parent, one a published port; the path of the bytes allocates nothing.
 */
struct publish_port {
    struct listener listener;
    struct loop_grave grave;
    struct publish_port *next;
    struct publish *publish;
    uint32_t id;
    int fd;
    struct sockaddr_storage target;
};

static void on_client(struct listener *listener, int take_sock, const struct sockaddr_storage *peer)
{
    (void)peer;
    struct publish_port *port = loop_owner(listener, struct publish_port, listener);
    /* In this thread a new socket belongs to the child's namespace. */
    int fd = dial(&port->target, SOCK_STREAM, true);
    if (fd < 0)
        relay_reset(take_sock); /* nobody there: the client sees a refusal */
    else
        (void)relay_join_connecting(&port->publish->worker, take_sock, fd, port->id);
}

static int add(struct publish *publish, const struct publish_order *order)
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
    int on = 1; /* accepted sockets inherit both */
    (void)setsockopt(port->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(port->fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
    int r = listener_start(&port->listener, &publish->worker, port->fd, on_client);
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
        listener_stop(&port->listener);
        fd_close(port->fd);
        relay_end_all(&publish->worker, id);
        worker_timer_forget(&publish->worker, &port->listener.retry);
        port->grave.free_fn = free_port;
        loop_bury(&publish->worker.loop, &port->grave);
        return 0;
    }
    return -ENOENT;
}

static void on_order(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct publish *publish = loop_owner(source, struct publish, orders);
    struct publish_order order;
    if (msg_recv(source->fd, &order, sizeof order, NULL, NULL) <= 0) {
        loop_stop(&publish->worker.loop);
        return;
    }
    order.code =
        order.op == GATEWAY_PORT_ADD ? add(publish, &order) : remove_port(publish, order.id);
    (void)msg_send(source->fd, &order, sizeof order, NULL, 0);
}

int publish_init(struct publish *publish, int order_fd, struct err *err)
{
    publish->ports = NULL;
    int r = worker_init(&publish->worker, err);
    if (r < 0)
        return r;
    r = loop_add(&publish->worker.loop, &publish->orders, order_fd, EPOLLIN, on_order);
    return r < 0 ? err_sys(err, -r, "cannot watch the order socket") : 0;
}

void publish_run(struct publish *publish)
{
    (void)loop_run(&publish->worker.loop, NULL);
}
