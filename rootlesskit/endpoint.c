#include "rootlesskit/endpoint.h"

#include <arpa/inet.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/msg.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "rootlesskit/api/control.h"
#include "rootlesskit/api/libexec.h"
#include "rootlesskit/dataplane.h"
#include "rootlesskit/network/network.h"
#include "rootlesskit/options.h"
#include "rootlesskit/port/ports.h"
#include "rootlesskit/statedir.h"

#define SERVER_NAME "rootlesskit-api"

static void show_ip(struct in_addr ip, char *ret, size_t size)
{
    (void)inet_ntop(AF_INET, &ip, ret, (socklen_t)size);
}

static void fill_info(const struct endpoint *endpoint, struct control_info *info)
{
    const struct port_driver *driver = endpoint->ports->driver;
    const struct rk_config *config = endpoint->config;
    const struct network_info *network = endpoint->network;
    (void)str_copy(info->state_dir, sizeof info->state_dir, endpoint->state->path);
    info->child_pid = endpoint->child;
    if (config->net_kind != NET_HOST)
        (void)str_copy(info->network_driver, sizeof info->network_driver, config->net);
    if (options_has_names(config))
        show_ip(network->child_ip, info->child_ip, sizeof info->child_ip);
    info->dynamic_child_ip = network->dynamic_child_ip;
    info->ipv6 = network->ipv6;
    for (size_t i = 0; i < network->n_dns; i++)
        (void)str_copy(info->dns[i], sizeof info->dns[i], network->dns[i]);
    if (!driver)
        return;
    (void)str_copy(info->port_driver, sizeof info->port_driver, driver->name);
    info->disallow_loopback_child_ip = driver->disallow_loopback_child_ip;
    for (size_t i = 0; driver->protos[i]; i++)
        (void)str_copy(info->protos[i], sizeof info->protos[i], driver->protos[i]);
    if (driver == &port_driver_builtin)
        (void)str_copy(info->source_ip_backend, sizeof info->source_ip_backend,
                       endpoint->ports->plane->source_ip);
}

/* @param fd  what came beside the request, or < 0 */
static int answer(struct endpoint *endpoint, const struct control_request *request, int fd,
                  struct control_reply *reply, struct err *err)
{
    const struct port *port;
    switch ((enum control_op)request->op) {
    case CONTROL_INFO:
        fill_info(endpoint, &reply->info);
        return 0;
    case CONTROL_LIST:
        if (!endpoint->ports->driver)
            return err_set(err, EINVAL, "no PortDriver is available");
        port = ports_next(endpoint->ports, request->id);
        if (!port)
            return -ENOENT;
        reply->id = port->id;
        reply->spec = port->spec;
        return 0;
    case CONTROL_ADD:
        reply->spec = request->spec;
        return ports_add(endpoint->ports, &reply->spec, &reply->id, err);
    case CONTROL_REMOVE:
        return ports_remove(endpoint->ports, request->id, err);
    case CONTROL_DRAIN:
        return ports_drain(endpoint->ports, request->id, request->drain_s, err);
    case CONTROL_DRAINED:
        return ports_drained(endpoint->ports, request->id, err);
    case CONTROL_SERVICES:
        if (endpoint->ports->driver != &port_driver_builtin)
            return err_set(err, ENOTSUP, "it is not known who listens");
        return dataplane_write_services(endpoint->ports->plane, fd, err);
    case CONTROL_FLOWS:
        return dataplane_write_flows(endpoint->ports->plane, fd, err);
    case CONTROL_TOTALS:
        reply->n_ports = endpoint->ports->n;
        return dataplane_write_totals(endpoint->ports->plane, fd, &reply->resident, err);
    }
    return err_set(err, EPROTO, "unknown request %u", request->op);
}

static void close_control(struct endpoint *endpoint)
{
    loop_del(endpoint->loop, &endpoint->control);
    endpoint->control_fd = fd_close(endpoint->control_fd);
}

/* @param r  msg_recv()'s. @return whether the request is still to be read */
static bool comes_again(int r)
{
    return r == -EAGAIN || r == -ENOBUFS || r == -ENOMEM;
}

static void on_request(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct endpoint *endpoint = loop_owner(source, struct endpoint, control);
    struct control_request request;
    int fd;
    int r = msg_recv_fd(source->fd, &request, sizeof request, &fd);
    if (comes_again(r))
        return;
    if (r <= 0 && r != -EMFILE) {
        close_control(endpoint);
        return;
    }
    struct err err = {0};
    struct control_reply reply = {.op = request.op};
    if (r == -EMFILE)
        reply.code = err_set(&err, EMFILE,
                             "rootlesskit has no file descriptor left for the answer: raise its "
                             "limit of open files (ulimit -n, LimitNOFILE=) and ask again");
    else
        reply.code = answer(endpoint, &request, fd, &reply, &err);
    fd_close(fd);
    (void)str_copy(reply.message, sizeof reply.message, err.msg);
    if (msg_send(source->fd, &reply, sizeof reply, NULL, 0) < 0)
        close_control(endpoint);
}

static void on_connection(struct loop_source *source, uint32_t events);

/* Nobody can serve who waits there: he sees an end, not a hang, and we do not try again for ever.
 */
static void turn_away(struct endpoint *endpoint)
{
    fd_close(accept4(endpoint->listen_fd, NULL, NULL, SOCK_CLOEXEC));
}

static void forget_server(struct endpoint *endpoint)
{
    close_control(endpoint);
    loop_del(endpoint->loop, &endpoint->server_end);
    endpoint->server_pidfd = fd_close(endpoint->server_pidfd);
    endpoint->server = 0;
}

static void on_server_end(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct endpoint *endpoint = loop_owner(source, struct endpoint, server_end);
    int status = proc_wait(endpoint->server);
    forget_server(endpoint);
    if (status != 0) {
        char how[64];
        cli_warning(SERVER_NAME " ended: %s", proc_describe(status, how, sizeof how));
        turn_away(endpoint);
    }
    if (loop_add(endpoint->loop, &endpoint->listener, endpoint->listen_fd, EPOLLIN, on_connection) <
        0)
        cli_warning("the API is gone: cannot watch api.sock");
}

static int start_server(struct endpoint *endpoint, struct err *err)
{
    char path[PATH_MAX];
    int pair[2];
    int r = libexec_find(SERVER_NAME, path, sizeof path, err);
    if (r < 0)
        return err_wrap(err, r, "the API cannot be served");
    r = msg_pair(pair, err);
    if (r < 0)
        return r;
    char root[16];
    (void)str_format(root, sizeof root, "%u", endpoint->root);
    const char *const argv[] = {path, root, NULL};
    const int passed[] = {endpoint->listen_fd, pair[1]}; /* CONTROL_LISTEN_FD, CONTROL_FD */
    struct proc_spec spec = {
        .argv = argv, .pass_fds = passed, .n_pass_fds = 2, .die_with_parent = 1, .own_group = 1};
    pid_t pid = proc_start(&spec, err);
    fd_close(pair[1]);
    if (pid < 0) {
        fd_close(pair[0]);
        return pid;
    }
    endpoint->server = pid;
    endpoint->control_fd = pair[0];
    endpoint->server_pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    r = loop_add(endpoint->loop, &endpoint->control, pair[0], EPOLLIN, on_request);
    if (r >= 0)
        r = loop_add(endpoint->loop, &endpoint->server_end, endpoint->server_pidfd, EPOLLIN,
                     on_server_end);
    return r < 0 ? err_sys(err, -r, "cannot watch " SERVER_NAME) : 0;
}

static void stop_server(struct endpoint *endpoint)
{
    if (endpoint->server <= 0)
        return;
    (void)kill(endpoint->server, SIGKILL);
    (void)proc_wait(endpoint->server);
    forget_server(endpoint);
}

/* The server accepts; we only learn that somebody is there. */
static void on_connection(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct endpoint *endpoint = loop_owner(source, struct endpoint, listener);
    struct err err = {0};
    if (start_server(endpoint, &err) >= 0) {
        loop_del(endpoint->loop, source);
        return;
    }
    cli_warning("%s", err.msg);
    stop_server(endpoint);
    turn_away(endpoint);
}

int endpoint_open(struct endpoint *endpoint, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (str_format(address.sun_path, sizeof address.sun_path, "%s/api.sock",
                   endpoint->state->path) < 0)
        return err_set(err, ENAMETOOLONG, "%s/api.sock is too long for a socket",
                       endpoint->state->path);
    endpoint->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (endpoint->listen_fd < 0)
        return err_sys(err, errno, "cannot make the API socket");
    mode_t old = umask(endpoint->root == geteuid() ? 0177 : 0111);
    int bound = bind(endpoint->listen_fd, (const struct sockaddr *)&address, sizeof address);
    int code = errno;
    umask(old);
    if (bound < 0)
        return err_sys(err, code, "cannot bind %s", address.sun_path);
    if (listen(endpoint->listen_fd, SOMAXCONN) < 0)
        return err_sys(err, errno, "cannot listen on %s", address.sun_path);
    int r =
        loop_add(endpoint->loop, &endpoint->listener, endpoint->listen_fd, EPOLLIN, on_connection);
    return r < 0 ? err_sys(err, -r, "cannot watch %s", address.sun_path) : 0;
}

void endpoint_close(struct endpoint *endpoint)
{
    if (!endpoint->loop)
        return;
    loop_del(endpoint->loop, &endpoint->listener);
    endpoint->listen_fd = fd_close(endpoint->listen_fd);
    stop_server(endpoint);
}
