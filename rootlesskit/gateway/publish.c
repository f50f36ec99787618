#include "rootlesskit/gateway/publish.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "rootlesskit/gateway/dial.h"
#include "rootlesskit/gateway/gate.h"
#include "rootlesskit/gateway/stats.h"

#define RECORDS_BATCH 256

/* Made at the order of the parent, one a published port; the path of the bytes allocates nothing.
 */
struct publish_port {
    struct datagram_port datagram; /* UDP */
    struct sctp_port sctp;
    struct loop_grave grave;
    struct publish_port *next;
    struct publish *publish;
    uint32_t id;
    int fd;
    int stand_in; /* TCP, yielded: clients come by this one; < 0: by none */
    int proto;    /* IPPROTO_TCP, IPPROTO_UDP or IPPROTO_SCTP */
    bool open;    /* TCP: it listens */
    bool yielded; /* TCP: it does not, since another socket does */
    struct sockaddr_storage target;
};

static int listen_on(struct publish_port *port)
{
    const int on = 1; /* accepted sockets inherit both */
    (void)setsockopt(port->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(port->fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
    port->open = true;
    return acceptors_open(&port->publish->acceptors, port->id, port->fd, &port->target);
}

static int look(struct publish *publish, unsigned types)
{
    return services_look(&publish->services, types, publish->worker->buffer, WORKER_BUFFER);
}

/* What fails is tried again at the next look. @return true when it has changed */
static bool follow(struct publish_port *port)
{
    struct acceptors *acceptors = &port->publish->acceptors;
    const struct services *services = &port->publish->services;
    bool serves = services_of(services, SOCK_STREAM, &port->target) != SERVICES_NONE;
    if (serves == port->open || port->yielded)
        return false;
    if (!serves) {
        acceptors_close(acceptors, port->id, false);
        (void)gate_shut(port->fd);
    } else if (gate_open(port->fd) < 0) {
        return false;
    } else if (acceptors_open(acceptors, port->id, port->fd, &port->target) < 0) {
        (void)gate_shut(port->fd);
        return false;
    }
    port->open = serves;
    return true;
}

/* A connection that the child refused says that a service has ended. */
static void on_watch(struct worker_timer *timer, int64_t now_ms)
{
    struct publish *publish = loop_owner(timer, struct publish, watch);
    uint64_t refused = acceptors_refused(&publish->acceptors);
    bool streams = false;
    if (refused == publish->refused && now_ms < publish->next_look_ms)
        return;
    publish->refused = refused;
    (void)look(publish, 1U << SOCK_STREAM);
    for (struct publish_port *port = publish->ports; port; port = port->next) {
        if (port->proto != IPPROTO_TCP)
            continue;
        streams = true;
        if (follow(port))
            publish->changed_ms = now_ms;
    }
    bool quick = now_ms - publish->changed_ms < PUBLISH_QUICK_MS;
    publish->next_look_ms = quick ? now_ms : now_ms + PUBLISH_SLOW_MS - WORKER_TICK_MS / 2;
    if (!streams)
        worker_timer_stop(timer);
}

static void watch(struct publish_port *port)
{
    struct publish *publish = port->publish;
    (void)look(publish, 1U << SOCK_STREAM);
    (void)follow(port);
    publish->changed_ms = publish->next_look_ms = clock_ms();
    worker_timer_start(publish->worker, &publish->watch);
}

static int open_port(struct publish_port *port)
{
    struct publish *publish = port->publish;
    socklen_t len = sizeof port->proto;
    if (getsockopt(port->fd, SOL_SOCKET, SO_PROTOCOL, &port->proto, &len) < 0)
        return -errno;
    if (port->proto == IPPROTO_UDP)
        return datagram_open(&publish->datagrams, &port->datagram, port->id, port->fd,
                             &port->target);
    if (port->proto == IPPROTO_SCTP)
        return sctp_open(&publish->sctp, &port->sctp, port->id, port->fd, &port->target);
    int r = listen_on(port);
    if (r >= 0 && publish->when_listening)
        watch(port);
    return r;
}

/* Takes no more clients, or @p take_all that wait before: they have their connection already. */
static void stop_listening(struct publish_port *port, bool take_all)
{
    if (port->proto == IPPROTO_UDP)
        datagram_close(&port->datagram);
    else if (port->proto == IPPROTO_SCTP)
        sctp_close(&port->sctp, take_all);
    else
        acceptors_close(&port->publish->acceptors, port->id, take_all);
}

/* For drains.h, too. */
static void end_all(void *arg, uint32_t id)
{
    struct publish *publish = arg;
    acceptors_end_all(&publish->acceptors, id);
    sctp_end_all(&publish->sctp, id);
}

static void see_connections(void *arg, struct relay_census *census)
{
    struct publish *publish = arg;
    acceptors_census(&publish->acceptors, census);
    sctp_census(&publish->sctp, census);
}

static void close_port(struct publish_port *port)
{
    stop_listening(port, false);
    end_all(port->publish, port->id);
    fd_close(port->stand_in);
    fd_close(port->fd);
}

static int drain_port(struct publish_port *port, uint32_t seconds)
{
    struct publish *publish = port->publish;
    int r = port->proto == IPPROTO_UDP ? 0 : drains_begin(&publish->drains, port->id, seconds);
    if (r < 0)
        return r;
    stop_listening(port, true);
    fd_close(port->stand_in);
    fd_close(port->fd);
    return 0;
}

static int share_port(const struct publish_port *port, int on)
{
    return setsockopt(port->fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0 ? -errno : 0;
}

/* Who waits for it is taken before. */
static void close_stand_in(struct publish_port *port)
{
    if (port->stand_in >= 0)
        acceptors_close(&port->publish->acceptors, port->id, true);
    port->stand_in = fd_close(port->stand_in);
}

static int yield_port(struct publish_port *port)
{
    close_stand_in(port);
    if (port->yielded)
        return 0;
    acceptors_close(&port->publish->acceptors, port->id, true);
    int r = gate_shut(port->fd);
    if (r >= 0)
        r = share_port(port, true);
    port->open = false;
    port->yielded = r >= 0;
    return r;
}

static int stand_in(struct publish_port *port, int take_listen)
{
    close_stand_in(port);
    int r = port->yielded
                ? acceptors_open(&port->publish->acceptors, port->id, take_listen, &port->target)
                : -EINVAL;
    if (r < 0)
        fd_close(take_listen);
    else
        port->stand_in = take_listen;
    return r;
}

/* The stand-in's address is the port's: it is closed first. */
static int resume_port(struct publish_port *port)
{
    struct acceptors *acceptors = &port->publish->acceptors;
    if (!port->yielded)
        return 0;
    close_stand_in(port);
    int r = share_port(port, false);
    if (r >= 0 && !port->publish->when_listening)
        r = gate_open(port->fd);
    if (r >= 0 && !port->publish->when_listening)
        r = acceptors_open(acceptors, port->id, port->fd, &port->target);
    port->open = r >= 0 && !port->publish->when_listening;
    port->yielded = r < 0;
    if (r >= 0 && port->publish->when_listening)
        watch(port);
    return r;
}

/* What the main thread asks for. */
struct order {
    struct publish *publish;
    uint32_t id;
    int fd;
    uint32_t seconds;
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
    port->stand_in = -EBADF;
    port->fd = order->fd;
    port->target = order->target;
    int r = open_port(port);
    if (r < 0) {
        end_all(publish, port->id); /* a thread may have taken clients before another failed */
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

/* @return where the list has it, or NULL */
static struct publish_port **find(struct publish *publish, uint32_t id)
{
    for (struct publish_port **place = &publish->ports; *place; place = &(*place)->next)
        if ((*place)->id == id)
            return place;
    return NULL;
}

static void forget(struct publish_port **place)
{
    struct publish_port *port = *place;
    *place = port->next;
    port->grave.free_fn = free_port;
    loop_bury(&port->publish->worker->loop, &port->grave);
}

static int remove_port(struct publish *publish, uint32_t id)
{
    struct publish_port **place = find(publish, id);
    if (!place)
        return -ENOENT;
    close_port(*place);
    forget(place);
    return 0;
}

/* Of SCTP the kernel tells with a module of its own; nobody is told. */
static int type_of(const struct publish_port *port)
{
    return port->proto == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM;
}

static enum services_state state_of(const struct publish_port *port)
{
    return port->proto == IPPROTO_SCTP
               ? SERVICES_UNKNOWN
               : services_of(&port->publish->services, type_of(port), &port->target);
}

static unsigned types_of(const struct publish *publish)
{
    unsigned types = 0;
    for (const struct publish_port *port = publish->ports; port; port = port->next)
        types |= 1U << type_of(port);
    return types;
}

static int write_services(struct publish *publish, int fd)
{
    struct services_record records[RECORDS_BATCH];
    size_t n = 0;
    int r = 0;
    (void)look(publish, types_of(publish));
    for (const struct publish_port *port = publish->ports; port && r >= 0; port = port->next) {
        records[n++] = (struct services_record){
            .port_id = port->id,
            .state = state_of(port),
            .handed_over = port->yielded,
        };
        if (n < RECORDS_BATCH && port->next)
            continue;
        r = file_write_full(fd, records, n * sizeof records[0]);
        n = 0;
    }
    return r < 0 ? r : 0;
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

static void do_drain(struct worker *worker, void *arg)
{
    struct order *order = arg;
    (void)worker;
    struct publish_port **place = find(order->publish, order->id);
    order->code = place ? drain_port(*place, order->seconds) : -ENOENT;
    if (order->code >= 0)
        forget(place);
}

/* @return the TCP port of that id, or NULL */
static struct publish_port *find_stream(struct publish *publish, uint32_t id)
{
    struct publish_port **place = find(publish, id);
    return place && (*place)->proto == IPPROTO_TCP ? *place : NULL;
}

static void do_yield(struct worker *worker, void *arg)
{
    struct order *order = arg;
    struct publish_port *port = find_stream(order->publish, order->id);
    (void)worker;
    order->code = port ? yield_port(port) : -ENOENT;
}

static void do_stand_in(struct worker *worker, void *arg)
{
    struct order *order = arg;
    struct publish_port *port = find_stream(order->publish, order->id);
    (void)worker;
    order->code = port ? stand_in(port, order->fd) : -ENOENT;
    if (!port)
        fd_close(order->fd);
}

static void do_dial(struct worker *worker, void *arg)
{
    struct order *order = arg;
    const struct publish_port *port = find_stream(order->publish, order->id);
    (void)worker;
    order->code = port ? dial(&port->target, SOCK_STREAM, true) : -ENOENT;
}

static void do_resume(struct worker *worker, void *arg)
{
    struct order *order = arg;
    struct publish_port *port = find_stream(order->publish, order->id);
    (void)worker;
    order->code = port ? resume_port(port) : -ENOENT;
}

static void do_tell(struct worker *worker, void *arg)
{
    struct order *order = arg;
    (void)worker;
    order->code = drains_has(&order->publish->drains, order->id) ? -EINPROGRESS : 0;
}

static void do_write_services(struct worker *worker, void *arg)
{
    struct order *order = arg;
    (void)worker;
    order->code = write_services(order->publish, order->fd);
}

static int give(struct order *order, worker_fn *fn)
{
    int r = worker_ask(order->publish->worker, fn, order);
    return r < 0 ? r : order->code;
}

int publish_add(struct publish *publish, uint32_t id, int take_listen,
                const struct sockaddr_storage *target)
{
    struct order order = {.publish = publish, .id = id, .fd = take_listen, .target = *target};
    int r = worker_ask(publish->worker, do_add, &order);
    if (r < 0)
        fd_close(take_listen);
    return r < 0 ? r : order.code;
}

int publish_yield(struct publish *publish, uint32_t id)
{
    struct order order = {.publish = publish, .id = id};
    return give(&order, do_yield);
}

int publish_stand_in(struct publish *publish, uint32_t id, int take_listen)
{
    struct order order = {.publish = publish, .id = id, .fd = take_listen};
    int r = worker_ask(publish->worker, do_stand_in, &order);
    if (r < 0)
        fd_close(take_listen);
    return r < 0 ? r : order.code;
}

int publish_dial(struct publish *publish, uint32_t id)
{
    struct order order = {.publish = publish, .id = id};
    return give(&order, do_dial);
}

int publish_resume(struct publish *publish, uint32_t id)
{
    struct order order = {.publish = publish, .id = id};
    return give(&order, do_resume);
}

int publish_remove(struct publish *publish, uint32_t id)
{
    struct order order = {.publish = publish, .id = id};
    return give(&order, do_remove);
}

int publish_drain(struct publish *publish, uint32_t id, uint32_t seconds)
{
    struct order order = {.publish = publish, .id = id, .seconds = seconds};
    return give(&order, do_drain);
}

int publish_drained(struct publish *publish, uint32_t id)
{
    struct order order = {.publish = publish, .id = id};
    return give(&order, do_tell);
}

int publish_write_services(struct publish *publish, int fd)
{
    struct order order = {.publish = publish, .fd = fd};
    return stats_is_memory(fd) ? give(&order, do_write_services) : -EINVAL;
}

/* Without it, nothing is known of services; who asked for when_listening must be told. */
static int open_services(struct publish *publish, struct err *err)
{
    struct err why = {0};
    int r = services_open(&publish->services, &why);
    if (r >= 0)
        r = look(publish, 1U << SOCK_STREAM);
    if (r >= 0 || !publish->when_listening)
        return 0;
    return err_set(err, -r,
                   "--publish-when-listening: the kernel does not tell which sockets listen (%s); "
                   "it needs the module tcp_diag",
                   why.code ? why.msg : strerror(-r));
}

int publish_init(struct publish *publish, struct movers *movers,
                 const struct publish_options *options, struct err *err)
{
    publish->ports = NULL;
    publish->when_listening = options->when_listening;
    publish->watch = (struct worker_timer){.fn = on_watch};
    const struct drains_of connections = {
        .census = see_connections, .end_all = end_all, .arg = publish};
    publish->worker = &publish->acceptors.acceptor[0].worker;
    int r = acceptors_init(&publish->acceptors, acceptors_wanted(), movers, options->rules, err);
    if (r >= 0)
        r = sctp_init(&publish->sctp, publish->worker, err);
    if (r >= 0)
        r = drains_init(&publish->drains, publish->worker, &connections, err);
    if (r >= 0)
        r = open_services(publish, err);
    return r >= 0 ? datagrams_init(&publish->datagrams, publish->worker, options->rules, err) : r;
}

int publish_start(struct publish *publish, struct err *err)
{
    return acceptors_start(&publish->acceptors, err);
}

void publish_run(struct publish *publish)
{
    (void)loop_run(&publish->worker->loop, NULL);
}
