#include "rootlesskit/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/activation.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/loop.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "rootlesskit/cgroup.h"
#include "rootlesskit/child.h"
#include "rootlesskit/endpoint.h"
#include "rootlesskit/handover/handover.h"
#include "rootlesskit/handover/twin.h"
#include "rootlesskit/link.h"
#include "rootlesskit/maps.h"
#include "rootlesskit/options.h"
#include "rootlesskit/port/ports.h"
#include "rootlesskit/resolv.h"
#include "rootlesskit/signals.h"
#include "rootlesskit/statedir.h"
#include "rootlesskit/uplink.h"

#define STATUS_SIGNALLED 255 /* RootlessKit's exit status for a command that a signal ended */

struct parent {
    struct rk_config *config;
    struct statedir state;
    struct loop loop;
    struct loop_source signals, child_end, link, plane, helper, questions;
    int signal_fd;
    struct gateway_resolvers resolvers; /**< the host's, when they could be read last */
    bool resolvers_lost;                /**< they cannot be read, and that was told */
    struct maps maps;
    struct child child;
    struct uplink uplink;
    struct ports ports;
    struct handover handover;
    struct endpoint endpoint;
    bool ending; /**< somebody asked us to end: a helper may be gone before the command */
    bool exited; /**< the command has; status is its wait status */
    int status;
    struct err failure; /**< what ended us instead */
};

static int tell(struct parent *parent, enum link_op op, struct err *err)
{
    int r = link_send(parent->child.link_fd, op, 0, "");
    return r < 0 ? err_set(err, -r, "the child ended during set-up") : 0;
}

/* What the child says next; its end, or a signal that asks us to end, is an error. */
static int await_ready(struct parent *parent, struct err *err)
{
    struct pollfd fds[] = {{.fd = parent->child.link_fd, .events = POLLIN},
                           {.fd = parent->signal_fd, .events = POLLIN}};
    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return err_sys(err, errno, "waiting for the child failed");
        int sig = signals_end_wanted();
        if (sig)
            return err_set(err, EINTR, "interrupted by SIG%s before the command was started",
                           sigabbrev_np(sig));
        if (fds[0].revents)
            break;
        fds[1].fd = -1; /* some other signal: the loop takes it, once the command runs */
    }
    struct link_message message;
    if (link_receive(parent->child.link_fd, &message) < 0)
        return err_set(err, EPIPE, "the child ended during set-up");
    if (message.op == LINK_FAILED)
        return err_set(err, EIO, "%s", message.text);
    return message.op == LINK_READY ? 0
                                    : err_set(err, EPROTO, "the child gave an unexpected answer");
}

/* NULL: no port can be published by name. */
static const struct port_driver *port_driver_of(const struct rk_config *config)
{
    switch (config->port_kind) {
    case PORT_NONE:
    case PORT_IMPLICIT:
        break;
    case PORT_BUILTIN:
        return &port_driver_builtin;
    case PORT_SLIRP4NETNS:
        return &port_driver_slirp4netns;
    case PORT_PESTO:
        return config->ipv6 ? &port_driver_pesto_ipv6 : &port_driver_pesto;
    }
    return NULL;
}

static int publish(struct parent *parent, struct err *err)
{
    const struct rk_config *config = parent->config;
    parent->ports.driver = port_driver_of(config);
    parent->ports.plane = &parent->uplink.dataplane;
    parent->ports.handover = &parent->handover;
    parent->handover.loop = &parent->loop;
    parent->handover.ports = &parent->ports;
    parent->handover.config = config;
    parent->handover.netns_fd = parent->child.netns_fd;
    parent->ports.config = config;
    parent->ports.state = &parent->state;
    /* With the implicit driver every port is published as it is: RootlessKit takes the specs too.
     */
    for (size_t i = 0; parent->ports.driver && i < config->n_ports; i++) {
        uint32_t id;
        int r = ports_add(&parent->ports, &config->ports[i], &id, err);
        if (r < 0)
            return err_wrap(err, r, "failed to expose port %s", config->publish.items[i]);
    }
    return 0;
}

/* Files that others read come last: who sees child_pid or api.sock finds everything in place. */
static int announce(struct parent *parent, struct err *err)
{
    char text[16];
    (void)str_format(text, sizeof text, "%d", parent->child.pid);
    int r = file_create(parent->state.fd, "child_pid", 0444, text, err);
    if (r < 0)
        return r;
    parent->endpoint.loop = &parent->loop;
    parent->endpoint.config = parent->config;
    parent->endpoint.state = &parent->state;
    parent->endpoint.ports = &parent->ports;
    parent->endpoint.network = &parent->uplink.network.info;
    parent->endpoint.child = parent->child.pid;
    parent->endpoint.root = parent->maps.root;
    return endpoint_open(&parent->endpoint, err);
}

/* Without its own cgroup a container runtime still works: a failure is only told. */
static void evacuate(const struct parent *parent)
{
    struct err err = {0};
    const char *name = parent->config->evacuate_cgroup2;
    if (name && cgroup_evacuate(name, &err) < 0)
        cli_warning("--evacuate-cgroup2=%s: %s", name, err.msg);
}

static int open_state(struct parent *parent, struct err *err)
{
    return statedir_open(&parent->state, parent->config->state_dir, err);
}

static int plan_maps(struct parent *parent, struct err *err)
{
    return maps_plan(&parent->maps, parent->config, &parent->state, err);
}

/* Before the child has the configuration, which then runs without a filter. */
static void check_handover(struct parent *parent)
{
    if (!parent->config->port_handover || !parent->config->handover_locked || twin_can_lock())
        return;
    cli_warning("--port-handover has no effect: this kernel does not let you lock a socket "
                "(SO_ATTACH_FILTER), and from an unlocked one of the host's the command could "
                "connect to what its network keeps it from");
    parent->config->port_handover = NULL;
}

static int start_child(struct parent *parent, struct err *err)
{
    check_handover(parent);
    int r = child_start(&parent->child, parent->config, &parent->state, err);
    activation_close(parent->config->n_sockets);
    return r < 0 ? r : uplink_begin(&parent->uplink, parent->config, &parent->child, err);
}

static int write_maps(struct parent *parent, struct err *err)
{
    int r = maps_write(&parent->maps, parent->child.pid, err);
    if (r < 0)
        return r;
    evacuate(parent);
    return tell(parent, LINK_MAPPED, err);
}

static int bring_up_network(struct parent *parent, struct err *err)
{
    int r = uplink_finish(&parent->uplink, parent->config, &parent->child, &parent->state, err);
    return r < 0 ? r : tell(parent, LINK_NETWORK, err);
}

static int let_go(struct parent *parent, struct err *err)
{
    return tell(parent, LINK_GO, err);
}

static int set_up(struct parent *parent, struct err *err)
{
    static const struct {
        int (*fn)(struct parent *parent, struct err *err);
        const char *done;
    } steps[] = {
        {open_state, "the state directory is ours"}, {plan_maps, "the ids to map are known"},
        {start_child, "the namespaces are made"},    {write_maps, "the ids are mapped"},
        {bring_up_network, "the network works"},     {publish, "the ports are published"},
        {await_ready, "the mounts are done"},        {announce, "child_pid and api.sock are there"},
        {let_go, "the command may start"},
    };
    int64_t begin = clock_ms();
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        int r = steps[i].fn(parent, err);
        if (r < 0)
            return r;
        cli_debug("%3lld ms: %s", (long long)(clock_ms() - begin), steps[i].done);
    }
    return 0;
}

/* The first end counts: what follows from it can be in the same batch of events. */
static void fail(struct parent *parent, const char *what)
{
    if (parent->loop.stopped)
        return;
    (void)err_set(&parent->failure, EIO, "%s", what);
    loop_stop(&parent->loop);
}

static void on_signal(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct parent *parent = loop_owner(source, struct parent, signals);
    struct signalfd_siginfo info;
    if (read(source->fd, &info, sizeof info) != (ssize_t)sizeof info || info.ssi_signo == SIGCHLD)
        return;
    if (!signals_passed_on(&info))
        return;
    parent->ending |= info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT;
    (void)syscall(SYS_pidfd_send_signal, parent->child.pidfd, (int)info.ssi_signo, NULL, 0);
}

/* Without it every port is relayed. */
static void start_handover(struct parent *parent, int take_fd, int code)
{
    struct err err = {0};
    int r = take_fd < 0 ? err_sys(&err, -code, "cannot watch what the command listens with")
                        : handover_start(&parent->handover, take_fd, &err);
    if (r >= 0)
        return;
    handover_stop(&parent->handover);
    cli_warning("--port-handover: %s%s", err.msg,
                code == -EBUSY ? ": a filter above tells somebody else" : "");
}

static void on_link(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct parent *parent = loop_owner(source, struct parent, link);
    struct link_message message;
    int fd;
    if (link_receive_fd(source->fd, &message, &fd) < 0) {
        fail(parent, "the child ended unexpectedly");
        return;
    }
    if (message.op == LINK_HANDOVER) {
        start_handover(parent, fd, message.code);
        return;
    }
    fd_close(fd);
    if (message.op == LINK_FAILED) {
        fail(parent, message.text);
        return;
    }
    parent->exited = true;
    parent->status = message.code;
    loop_stop(&parent->loop);
}

static void on_child(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct parent *parent = loop_owner(source, struct parent, child_end);
    loop_del(&parent->loop, source);
    do /* what it said last, or its end */
        on_link(&parent->link, 0);
    while (!parent->loop.stopped);
}

/* A service manager may send SIGTERM to every process of the group at once: the command still gets
 * its time to end properly, without a network. */
static void helper_ended(struct parent *parent, struct loop_source *source, const char *name)
{
    loop_del(&parent->loop, source);
    if (parent->ending || signals_end_wanted())
        return;
    char said[512] = "", text[640];
    if (source == &parent->helper)
        network_last_words(&parent->uplink.network, said, sizeof said);
    (void)snprintf(text, sizeof text, "%s ended unexpectedly%s%s", name, said[0] ? ": " : "", said);
    fail(parent, text);
}

static void on_plane(struct loop_source *source, uint32_t events)
{
    (void)events;
    helper_ended(loop_owner(source, struct parent, plane), source, "the network process");
}

static void on_helper(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct parent *parent = loop_owner(source, struct parent, helper);
    helper_ended(parent, source, parent->config->net);
}

/* The network process asks at a query: a file that cannot be read is told once. */
static void on_question(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct parent *parent = loop_owner(source, struct parent, questions);
    struct err err = {0};
    if (dataplane_take_question(&parent->uplink.dataplane) < 0) {
        loop_del(&parent->loop, source); /* its end, which on_plane() hears of */
        return;
    }
    bool lost = resolv_look(&parent->resolvers, &err) < 0;
    if (lost && !parent->resolvers_lost)
        cli_warning("the host's DNS servers of before stay in use: %s", err.msg);
    parent->resolvers_lost = lost;
    (void)dataplane_answer(&parent->uplink.dataplane, &parent->resolvers);
}

/* fd < 0: that part is not there. */
static int watch(struct parent *parent, struct loop_source *source, int fd, loop_fn *fn,
                 struct err *err)
{
    int r = fd < 0 ? 0 : loop_add(&parent->loop, source, fd, EPOLLIN, fn);
    return r < 0 ? err_sys(err, -r, "cannot watch a process") : 0;
}

static int watch_all(struct parent *parent, struct err *err)
{
    int r = watch(parent, &parent->signals, parent->signal_fd, on_signal, err);
    if (r >= 0)
        r = watch(parent, &parent->link, parent->child.link_fd, on_link, err);
    if (r >= 0)
        r = watch(parent, &parent->child_end, parent->child.pidfd, on_child, err);
    if (r >= 0)
        r = watch(parent, &parent->plane, parent->uplink.dataplane.pidfd, on_plane, err);
    if (r >= 0)
        r = watch(parent, &parent->helper, parent->uplink.network.helper_pidfd, on_helper, err);
    if (r >= 0)
        r = watch(parent, &parent->questions, parent->uplink.dataplane.resolvers_fd, on_question,
                  err);
    return r;
}

static void take_down(struct parent *parent)
{
    endpoint_close(&parent->endpoint);
    child_end(&parent->child);
    uplink_stop(&parent->uplink);
    /* Only if somebody killed the child were there processes left: as subreaper we have them. */
    cleanup_close int proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    proc_kill_family(proc_fd, 1);
    handover_stop(&parent->handover);
    ports_free(&parent->ports);
    statedir_remove(&parent->state);
    parent->signal_fd = fd_close(parent->signal_fd);
    loop_fini(&parent->loop);
}

static int exit_status(const struct parent *parent)
{
    char how[64];
    if (!parent->exited)
        return cli_fail(&parent->failure, CLI_FAILED);
    if (parent->status == 0)
        return 0;
    cli_error("command [%s] exited: %s", parent->config->command[0],
              proc_describe(parent->status, how, sizeof how));
    return WIFEXITED(parent->status) ? WEXITSTATUS(parent->status) : STATUS_SIGNALLED;
}

int parent_run(struct rk_config *config)
{
    struct parent parent = {
        .config = config,
        .state = STATEDIR_UNSET,
        .signal_fd = -EBADF,
        .child = CHILD_UNSET,
        .uplink = UPLINK_UNSET,
        .handover = HANDOVER_UNSET,
        .endpoint = ENDPOINT_UNSET,
    };
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    parent.signal_fd = signals_open(&parent.failure);
    int r = parent.signal_fd < 0 ? parent.signal_fd : loop_init(&parent.loop, &parent.failure);
    if (r >= 0)
        r = set_up(&parent, &parent.failure);
    if (r >= 0)
        r = watch_all(&parent, &parent.failure);
    if (r >= 0)
        (void)loop_run(&parent.loop, &parent.failure);
    take_down(&parent);
    return exit_status(&parent);
}
