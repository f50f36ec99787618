#include "rootlesskit/gateway/acceptors.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "rootlesskit/gateway/listener.h"
#include "rootlesskit/gateway/relay.h"
#include "rootlesskit/gateway/thread.h"

/* A thread's part of a port, made at the order of the parent. It is the thread's own: events of its
 * running batch may still lead here when it is closed. Closed it stays until the port's connections
 * are ended: a client who is passed on comes in as long as it is there. */
struct acceptor_port {
    struct listener listener;
    bool open;
    struct loop_grave grave;
    struct acceptor_port *next;
    struct acceptor *acceptor;
    const struct sockaddr_storage *target;
    uint32_t id;
};

static void on_client(struct listener *listener, int take_sock, const struct sockaddr_storage *peer)
{
    struct acceptor_port *port = loop_owner(listener, struct acceptor_port, listener);
    /* In this thread a new socket belongs to the child's namespace. */
    connector_join(&port->acceptor->connector, take_sock, peer, port->target, port->id);
}

struct order {
    uint32_t id;
    int fd;
    bool take_all;
    const struct sockaddr_storage *target;
    int code; /* 0 or -errno */
    struct relay_census *census;
};

static struct acceptor *acceptor_of(struct worker *worker)
{
    return loop_owner(worker, struct acceptor, worker);
}

static void free_port(struct loop_grave *grave)
{
    free(loop_owner(grave, struct acceptor_port, grave));
}

/* @return where the list has it, or would */
static struct acceptor_port **find(struct acceptor *acceptor, uint32_t id)
{
    struct acceptor_port **place = &acceptor->ports;
    while (*place && (*place)->id != id)
        place = &(*place)->next;
    return place;
}

static bool has_port(struct connector *connector, uint32_t owner)
{
    return *find(loop_owner(connector, struct acceptor, connector), owner);
}

static struct acceptor_port *add(struct acceptor *acceptor, uint32_t id)
{
    struct acceptor_port *port = calloc(1, sizeof *port);
    if (!port)
        return NULL;
    port->acceptor = acceptor;
    port->id = id;
    port->next = acceptor->ports;
    acceptor->ports = port;
    return port;
}

static void do_open(struct worker *worker, void *arg)
{
    struct order *order = arg;
    struct acceptor *acceptor = acceptor_of(worker);
    struct acceptor_port *port = *find(acceptor, order->id);
    if (!port)
        port = add(acceptor, order->id);
    if (!port) {
        order->code = -ENOMEM;
        return;
    }
    port->target = order->target;
    order->code = listener_start(&port->listener, worker, order->fd, on_client);
    port->open = order->code >= 0;
}

static void do_close(struct worker *worker, void *arg)
{
    const struct order *order = arg;
    struct acceptor_port *port = *find(acceptor_of(worker), order->id);
    if (!port || !port->open)
        return;
    if (order->take_all)
        listener_take_all(&port->listener);
    listener_stop(&port->listener);
    worker_timer_forget(worker, &port->listener.retry);
    port->open = false;
}

static void do_end_all(struct worker *worker, void *arg)
{
    const struct order *order = arg;
    struct acceptor *acceptor = acceptor_of(worker);
    struct acceptor_port **place = find(acceptor, order->id), *port = *place;
    connector_end_all(&acceptor->connector, order->id);
    relay_end_all(worker, order->id);
    if (!port || port->open)
        return;
    *place = port->next;
    port->grave.free_fn = free_port;
    loop_bury(&worker->loop, &port->grave);
}

static void do_census(struct worker *worker, void *arg)
{
    struct order *order = arg;
    connector_census(&acceptor_of(worker)->connector, order->census);
    relay_census(worker, order->census);
}

/* One of them, or the caller itself. */
static void ask(struct acceptors *acceptors, unsigned i, worker_fn *fn, struct order *order)
{
    struct worker *worker = &acceptors->acceptor[i].worker;
    if (i == 0)
        fn(worker, order);
    else
        order->code = worker_ask(worker, fn, order) < 0 ? -EAGAIN : order->code;
}

static void ask_all(struct acceptors *acceptors, worker_fn *fn, struct order *order)
{
    for (unsigned i = 0; i < acceptors->n; i++)
        ask(acceptors, i, fn, order);
}

unsigned acceptors_wanted(void)
{
    unsigned cpus = thread_cpus();
    return cpus < ACCEPTORS_MAX ? cpus : ACCEPTORS_MAX;
}

static int init_one(struct acceptor *acceptor, struct movers *movers, enum gateway_source_ip rules,
                    struct err *err)
{
    int r = worker_init(&acceptor->worker, err);
    acceptor->worker.movers = movers;
    return r >= 0 ? connector_init(&acceptor->connector, &acceptor->worker, rules, err) : r;
}

int acceptors_init(struct acceptors *acceptors, unsigned n, struct movers *movers,
                   enum gateway_source_ip rules, struct err *err)
{
    int r = 0;
    for (acceptors->n = 0; acceptors->n < n && r >= 0; acceptors->n++)
        r = init_one(&acceptors->acceptor[acceptors->n], movers, rules, err);
    for (unsigned i = 0; i < n && r >= 0; i++) {
        struct connector *connector = &acceptors->acceptor[i].connector;
        connector->ring = &acceptors->ring;
        connector->next = &acceptors->acceptor[(i + 1) % n].connector;
        connector->others = (uint8_t)(n - 1);
        connector->has_port = has_port;
    }
    return r;
}

static void live(void *arg)
{
    struct acceptor *acceptor = arg;
    (void)loop_run(&acceptor->worker.loop, NULL);
}

int acceptors_start(struct acceptors *acceptors, struct err *err)
{
    int r = 0;
    for (unsigned i = 1; i < acceptors->n && r >= 0; i++)
        r = thread_start(NULL, live, &acceptors->acceptor[i]);
    return r < 0 ? err_sys(err, -r, "cannot start a thread") : 0;
}

int acceptors_open(struct acceptors *acceptors, uint32_t id, int fd,
                   const struct sockaddr_storage *target)
{
    struct order order = {.id = id, .fd = fd, .target = target};
    for (unsigned i = 0; i < acceptors->n && order.code >= 0; i++)
        ask(acceptors, i, do_open, &order);
    if (order.code < 0)
        acceptors_close(acceptors, id, false);
    return order.code;
}

/* The others first: what waits then is the caller's alone, and nothing comes in between. */
void acceptors_close(struct acceptors *acceptors, uint32_t id, bool take_all)
{
    struct order order = {.id = id};
    for (unsigned i = acceptors->n; i-- > 0;) {
        order.take_all = take_all && i == 0;
        ask(acceptors, i, do_close, &order);
    }
}

/* A client who was passed on meanwhile may have got behind us: he finds no port, and is reset. He
 * is not waited for, since he may have to be taken by this very thread. */
void acceptors_end_all(struct acceptors *acceptors, uint32_t id)
{
    struct order order = {.id = id};
    ask_all(acceptors, do_end_all, &order);
}

/* Whose a client is that was passed on meanwhile is not known: whoever may be. */
void acceptors_census(struct acceptors *acceptors, struct relay_census *census)
{
    struct order order = {.census = census};
    uint32_t done = atomic_load(&acceptors->ring.done);
    ask_all(acceptors, do_census, &order);
    if (done != atomic_load(&acceptors->ring.begun))
        memset(census->found, true, census->n * sizeof census->found[0]);
}

uint64_t acceptors_refused(const struct acceptors *acceptors)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < acceptors->n; i++)
        sum += stats_refused(&acceptors->acceptor[i].worker.stats, STATS_PUBLISHED);
    return sum;
}
