/*
 * Stages, each with what it may rely on:
 *   join     single-threaded: become root of the child's user namespace, still in the host's
 *            network; the movers start (movers.h)
 *   make     G by a thread that ends; C by the port thread, or by a thread that ends too
 *   confine  every fd and table exists; from here on only bytes move
 *   serve    the main thread: outbound connections, DNS, and the parent's requests
 */
#include "rootlesskit/gateway/gateway.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/msg.h"
#include "lib/base/str.h"
#include "rootlesskit/gateway/confine.h"
#include "rootlesskit/gateway/dns.h"
#include "rootlesskit/gateway/flow.h"
#include "rootlesskit/gateway/inward.h"
#include "rootlesskit/gateway/movers.h"
#include "rootlesskit/gateway/outbound.h"
#include "rootlesskit/gateway/place.h"
#include "rootlesskit/gateway/publish.h"
#include "rootlesskit/gateway/source_ip.h"
#include "rootlesskit/gateway/stats.h"
#include "rootlesskit/gateway/worker.h"

/* The main one, that of outbound datagrams, those of published ports, the movers. */
#define WORKERS_MAX (2 + ACCEPTORS_MAX + MOVERS_MAX)

struct gateway {
    const struct gateway_config *config;
    struct worker worker; /**< the main thread's */
    struct movers movers;
    struct flows flows;
    struct dns dns;
    struct outbound outbound;
    struct loop_source control;
    struct place_gateway place;
    uint32_t fds_max; /**< RLIMIT_NOFILE */
    struct policy policy;

    struct publish publish;
    struct inward inward;
    pthread_t port_thread;
    sem_t child_done; /**< posted by the thread in C: set-up is over */
    struct err child_err;
    int child_result;
    int source_ip;         /**< enum gateway_source_ip in use, or -errno with ... */
    struct err source_err; /**< ... the reason */
};

/* @param fd  goes beside; < 0: none does */
static void answer_with(struct gateway *gateway, const struct gateway_request *request, int code,
                        const char *text, int fd)
{
    struct gateway_reply reply = {
        .op = request->op, .serial = request->serial, .id = request->id, .code = code};
    if (gateway->source_ip > 0)
        reply.source_ip = (uint32_t)gateway->source_ip;
    reply.ipv6 = gateway->place.ipv6;
    (void)str_format(reply.message, sizeof reply.message, "%.*s", (int)sizeof reply.message - 1,
                     text);
    if (msg_send(gateway->config->control_fd, &reply, sizeof reply, &fd, fd >= 0) < 0)
        loop_stop(&gateway->worker.loop);
}

static void answer(struct gateway *gateway, const struct gateway_request *request, int code,
                   const char *text)
{
    answer_with(gateway, request, code, text, -EBADF);
}

/* Before there are threads: glibc looks at /proc when it gives back memory of a thread's own heap,
 * which the filter (confine.h) does not let it. Only orders of the parent allocate. */
static void share_heap(void)
{
#ifdef M_ARENA_MAX
    (void)mallopt(M_ARENA_MAX, 1);
#endif
}

static int join(const struct gateway_config *config, uint32_t *ret_fds_max, struct err *err)
{
    pid_t parent = getppid();
    if (setns(config->userns_fd, CLONE_NEWUSER) < 0)
        return err_sys(err, errno, "cannot join the child's user namespace");
    /* The change of credentials has cleared it (prctl(2)). */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        return err_set(err, ESRCH, "the parent is gone");
    (void)signal(SIGPIPE, SIG_IGN); /* splice(2) knows no MSG_NOSIGNAL */
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        *ret_fds_max = limit.rlim_max < UINT32_MAX ? (uint32_t)limit.rlim_max : UINT32_MAX;
    }
    return 0;
}

/* Ports work without their clients' addresses: a failure is told, not fatal. */
static int set_up_ports(struct gateway *gateway, struct err *err)
{
    if (gateway->config->source_ip != GATEWAY_SOURCE_IP_NONE)
        gateway->source_ip = source_ip_set_up(gateway->config->source_ip, &gateway->source_err);
    enum gateway_source_ip rules = gateway->source_ip > 0
                                       ? (enum gateway_source_ip)gateway->source_ip
                                       : GATEWAY_SOURCE_IP_NONE;
    const struct publish_options options = {.rules = rules,
                                            .when_listening = gateway->config->when_listening};
    int r = publish_init(&gateway->publish, &gateway->movers, &options, err);
    if (r < 0)
        return r;
    r = rules != GATEWAY_SOURCE_IP_NONE ? confine_to_sockets(err) : confine_capabilities(err);
    return r >= 0 ? publish_start(&gateway->publish, err) : r;
}

static int set_up_child(struct gateway *gateway)
{
    struct err *err = &gateway->child_err;
    int r = place_enter_child(gateway->config, err);
    if (r >= 0)
        r = place_set_up_child(gateway->config, &gateway->place, err);
    if (r >= 0)
        r = gateway->config->ports ? set_up_ports(gateway, err) : confine_capabilities(err);
    return r;
}

static void *live_in_child(void *arg)
{
    struct gateway *gateway = arg;
    gateway->child_result = set_up_child(gateway);
    bool serve = gateway->child_result >= 0 && gateway->config->ports;
    (void)sem_post(&gateway->child_done);
    if (serve)
        publish_run(&gateway->publish);
    return NULL;
}

static int start_child_thread(struct gateway *gateway, struct err *err)
{
    (void)sem_init(&gateway->child_done, 0, 0);
    int r = pthread_create(&gateway->port_thread, NULL, live_in_child, gateway);
    if (r != 0)
        return err_sys(err, r, "cannot start a thread");
    while (sem_wait(&gateway->child_done) < 0)
        ;
    /* One that does not serve must be gone before the filter comes: its exit needs more calls. */
    if (gateway->child_result < 0 || !gateway->config->ports)
        (void)pthread_join(gateway->port_thread, NULL);
    if (gateway->child_result < 0)
        *err = gateway->child_err;
    return gateway->child_result;
}

static void answer_code(struct gateway *gateway, const struct gateway_request *request, int r)
{
    answer(gateway, request, r, r < 0 ? strerror(-r) : "");
}

static void add_port(struct gateway *gateway, const struct gateway_request *request,
                     int take_listen)
{
    int r = take_listen < 0 ? -EBADF : -EOPNOTSUPP;
    if (gateway->config->ports && take_listen >= 0)
        r = publish_add(&gateway->publish, request->id, take_listen, &request->target);
    else
        fd_close(take_listen);
    answer_code(gateway, request, r);
}

/* What the parent asks of the ports that there are. @param fd  what came beside, or < 0 */
static void ask_ports(struct gateway *gateway, const struct gateway_request *request, int fd)
{
    struct publish *publish = &gateway->publish;
    int r = -EOPNOTSUPP;
    if (!gateway->config->ports) {
        answer_code(gateway, request, r);
        return;
    }
    if (request->op == GATEWAY_PORT_REMOVE) {
        inward_end(&gateway->inward, request->id);
        r = publish_remove(publish, request->id);
    } else if (request->op == GATEWAY_PORT_DRAIN) {
        inward_close(&gateway->inward, request->id, 0);
        r = publish_drain(publish, request->id, request->drain_s);
    } else if (request->op == GATEWAY_PORT_DRAINED) {
        r = publish_drained(publish, request->id);
    } else if (request->op == GATEWAY_SERVICES) {
        r = publish_write_services(publish, fd);
    }
    answer_code(gateway, request, r);
}

static void dial_port(struct gateway *gateway, const struct gateway_request *request)
{
    int r = gateway->config->ports ? publish_dial(&gateway->publish, request->id) : -EOPNOTSUPP;
    answer_with(gateway, request, r < 0 ? r : 0, r < 0 ? strerror(-r) : "", r);
    fd_close(r);
}

/* While another socket has a port's clients. */
static int share_clients(struct gateway *gateway, const struct gateway_request *request,
                         int take_fd)
{
    struct publish *publish = &gateway->publish;
    if (request->op == GATEWAY_PORT_STAND_IN)
        return publish_stand_in(publish, request->id, take_fd);
    if (request->op == GATEWAY_PORT_INWARD)
        return inward_add(&gateway->inward, request->id, request->seat, take_fd, &request->target);
    fd_close(take_fd);
    if (request->op == GATEWAY_PORT_YIELD)
        return publish_yield(publish, request->id);
    if (request->op == GATEWAY_PORT_INWARD_END) {
        inward_close(&gateway->inward, request->id, request->seat);
        return 0;
    }
    /* Who is relayed inward would be relayed back out, round and round. */
    inward_close(&gateway->inward, request->id, 0);
    return publish_resume(publish, request->id);
}

/* @param take_fd  what came beside, or < 0 */
static void ask_about_sharing(struct gateway *gateway, const struct gateway_request *request,
                              int take_fd)
{
    bool brings = request->op == GATEWAY_PORT_STAND_IN || request->op == GATEWAY_PORT_INWARD;
    int r = !gateway->config->ports ? -EOPNOTSUPP : brings && take_fd < 0 ? -EBADF : 0;
    if (r < 0)
        fd_close(take_fd);
    else
        r = share_clients(gateway, request, take_fd);
    answer_code(gateway, request, r);
}

/* @return how many: ours first, as stats.h wants it */
static size_t workers_of(struct gateway *gateway, struct worker *ret[WORKERS_MAX])
{
    size_t n = 0;
    ret[n++] = &gateway->worker;
    for (unsigned i = 0; i < gateway->publish.acceptors.n; i++)
        ret[n++] = &gateway->publish.acceptors.acceptor[i].worker;
    if (gateway->config->network)
        ret[n++] = &gateway->outbound.worker;
    for (unsigned i = 0; i < gateway->movers.n; i++)
        ret[n++] = &gateway->movers.worker[i];
    return n;
}

static void write_flows(struct gateway *gateway, const struct gateway_request *request, int fd)
{
    struct worker *workers[WORKERS_MAX];
    size_t n = workers_of(gateway, workers);
    answer_code(gateway, request, stats_write_flows(workers, n, fd));
}

static uint32_t count_fds(uint32_t bound)
{
    uint32_t n = 0;
    for (uint32_t fd = 0; fd < bound; fd++)
        n += fcntl((int)fd, F_GETFD) >= 0;
    return n;
}

static void write_totals(struct gateway *gateway, const struct gateway_request *request, int fd)
{
    struct worker *workers[WORKERS_MAX];
    size_t n = workers_of(gateway, workers);
    struct stats_totals totals = {
        .fds = count_fds(request->fd_bound),
        .fds_max = gateway->fds_max,
        .flows_max = WORKER_RELAYS,
        .held_max = gateway->flows.table.max,
    };
    answer_code(gateway, request, stats_write_totals(workers, n, &totals, fd));
}

static void on_request(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct gateway *gateway = loop_owner(source, struct gateway, control);
    struct gateway_request request;
    int first;
    int r = msg_recv_fd(source->fd, &request, sizeof request, &first);
    if (r == -EMFILE) { /* connections have them all */
        answer_code(gateway, &request, r);
        return;
    }
    if (r <= 0) {
        loop_stop(&gateway->worker.loop); /* the parent is gone */
        return;
    }
    switch ((enum gateway_op)request.op) {
    case GATEWAY_PORT_ADD:
        add_port(gateway, &request, first);
        return;
    case GATEWAY_PORT_YIELD:
    case GATEWAY_PORT_STAND_IN:
    case GATEWAY_PORT_INWARD:
    case GATEWAY_PORT_INWARD_END:
    case GATEWAY_PORT_RESUME:
        ask_about_sharing(gateway, &request, first);
        return;
    case GATEWAY_PORT_DIAL:
        dial_port(gateway, &request);
        fd_close(first);
        return;
    case GATEWAY_PORT_REMOVE:
    case GATEWAY_PORT_DRAIN:
    case GATEWAY_PORT_DRAINED:
    case GATEWAY_SERVICES:
        ask_ports(gateway, &request, first);
        fd_close(first);
        return;
    case GATEWAY_FLOWS:
        write_flows(gateway, &request, first);
        fd_close(first);
        return;
    case GATEWAY_TOTALS:
        write_totals(gateway, &request, first);
        fd_close(first);
        return;
    case GATEWAY_READY:
        break;
    }
    fd_close(first);
    answer(gateway, &request, -EPROTO, "unknown request");
}

static int serve_dns(struct gateway *gateway, struct err *err)
{
    const struct policy *policy = &gateway->policy;
    const struct place_sockets *v4 = &gateway->place.v4, *v6 = &gateway->place.v6;
    struct dns *dns = &gateway->dns;
    int r = dns_init(dns, &gateway->worker, gateway->config->resolvers_fd, err);
    if (r >= 0)
        r = dns_serve(dns, &dns->v4, v4->dns_udp_fd, v4->dns_tcp_fd,
                      !policy_dns(policy, &policy->v4.dns), err);
    if (r >= 0 && policy->ipv6)
        r = dns_serve(dns, &dns->v6, v6->dns_udp_fd, v6->dns_tcp_fd,
                      !policy_dns(policy, &policy->v6.dns), err);
    return r;
}

static int serve_network(struct gateway *gateway, struct err *err)
{
    const struct place_gateway *place = &gateway->place;
    gateway->policy = gateway->config->policy;
    gateway->policy.ipv6 = place->ipv6;
    int r = flows_init(&gateway->flows, &gateway->worker, &gateway->policy, place, err);
    if (r >= 0)
        r = serve_dns(gateway, err);
    if (r >= 0)
        r = outbound_start(&gateway->outbound, &gateway->policy, place, err);
    return r;
}

static int watch(struct gateway *gateway, struct err *err)
{
    int r = loop_add(&gateway->worker.loop, &gateway->control, gateway->config->control_fd, EPOLLIN,
                     on_request);
    return r < 0 ? err_sys(err, -r, "cannot watch the control socket") : 0;
}

static int set_up(struct gateway *gateway, struct err *err)
{
    const struct gateway_config *config = gateway->config;
    share_heap();
    int r = join(config, &gateway->fds_max, err);
    if (r >= 0)
        r = movers_start(&gateway->movers, movers_wanted(), err);
    if (r >= 0)
        r = worker_init(&gateway->worker, err);
    gateway->worker.movers = &gateway->movers;
    gateway->inward.worker = &gateway->worker;
    if (r >= 0 && config->network)
        r = place_make_gateway(config, &gateway->place, err);
    if (r >= 0)
        r = start_child_thread(gateway, err);
    if (r >= 0 && config->network)
        r = serve_network(gateway, err);
    if (r >= 0)
        r = watch(gateway, err);
    fd_close(config->userns_fd);
    fd_close(config->netns_fd);
    gateway->place.netns_fd = fd_close(gateway->place.netns_fd);
    return r < 0 ? r : confine_process(err);
}

int gateway_run(const struct gateway_config *config)
{
    static struct gateway gateway;
    const struct gateway_request ready = {.op = GATEWAY_READY};
    struct err err = {0};
    gateway = (struct gateway){.config = config, .place = PLACE_GATEWAY_UNSET};
    int r = set_up(&gateway, &err);
    answer(&gateway, &ready, r, r < 0 ? err.msg : gateway.source_err.msg);
    if (r >= 0)
        (void)loop_run(&gateway.worker.loop, NULL);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
