/*
 * api-parent DIR SERVER [empty | full | die]: stands in for rootlesskit's parent in the tests of
 * the API.
 *
 * It binds DIR/api.sock, starts SERVER when somebody connects, as the parent does, and answers from
 * a table in memory. DIR/starts gets the pid of every server. `empty`: it has no drivers; `full`:
 * it has whatever one may have; `die`: it ends every conversation at the first request, as a parent
 * that ends would.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/msg.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "rootlesskit/api/control.h"

#define PORTS_MAX 4096

static struct control_reply ports[PORTS_MAX]; /* id and spec of each; id 0 = removed */
static uint32_t n_ports;
static const char *state_dir, *mode = "";

static void fail(const char *what, const struct err *err)
{
    (void)fprintf(stderr, "api-parent: %s: %s\n", what, err ? err->msg : strerror(errno));
    exit(EXIT_FAILURE);
}

static void fill_info(struct control_info *info)
{
    (void)str_copy(info->state_dir, sizeof info->state_dir, state_dir);
    info->child_pid = 4242;
    if (str_equal(mode, "empty"))
        return;
    (void)str_copy(info->network_driver, sizeof info->network_driver, "gateway");
    (void)str_copy(info->dns[0], sizeof info->dns[0], "10.0.2.3");
    (void)str_copy(info->child_ip, sizeof info->child_ip, "10.0.2.100");
    if (str_equal(mode, "full")) {
        (void)str_copy(info->dns[1], sizeof info->dns[1], "fd00::3");
        info->ipv6 = info->dynamic_child_ip = info->disallow_loopback_child_ip = true;
    }
    (void)str_copy(info->source_ip_backend, sizeof info->source_ip_backend, "nft");
    (void)str_copy(info->port_driver, sizeof info->port_driver, "builtin");
    (void)str_copy(info->protos[0], sizeof info->protos[0], "tcp");
    (void)str_copy(info->protos[1], sizeof info->protos[1], "tcp4");
    if (str_equal(mode, "full"))
        (void)str_copy(info->protos[2], sizeof info->protos[2], "udp6");
}

static int add(const struct port_spec *spec, struct control_reply *reply, struct err *err)
{
    int r = port_spec_check(spec, err);
    if (r < 0)
        return r;
    for (uint32_t i = 0; i < n_ports; i++)
        if (ports[i].id && ports[i].spec.parent_port == spec->parent_port)
            return err_set(err, EADDRINUSE, "conflict with ID %u", ports[i].id);
    if (n_ports == PORTS_MAX)
        return err_set(err, ENOSPC, "full");
    ports[n_ports].id = n_ports + 1;
    ports[n_ports].spec = *spec;
    reply->id = ports[n_ports].id;
    reply->spec = *spec;
    n_ports++;
    return 0;
}

static int next_from(uint32_t id, struct control_reply *reply)
{
    for (uint32_t i = 0; i < n_ports; i++)
        if (ports[i].id && ports[i].id >= id) {
            reply->id = ports[i].id;
            reply->spec = ports[i].spec;
            return 0;
        }
    return -ENOENT;
}

static int remove_id(uint32_t id, struct err *err)
{
    if (id == 0 || id > n_ports || !ports[id - 1].id)
        return err_set(err, ENOENT, "unknown id: %u", id);
    ports[id - 1].id = 0;
    return 0;
}

static int answer(const struct control_request *request, struct control_reply *reply,
                  struct err *err)
{
    if (request->op != CONTROL_INFO && str_equal(mode, "empty"))
        return err_set(err, EINVAL, "no PortDriver is available");
    switch ((enum control_op)request->op) {
    case CONTROL_INFO:
        fill_info(&reply->info);
        return 0;
    case CONTROL_LIST:
        return next_from(request->id, reply);
    case CONTROL_ADD:
        return add(&request->spec, reply, err);
    case CONTROL_REMOVE:
        return remove_id(request->id, err);
    }
    return err_set(err, EPROTO, "unknown request %u", request->op);
}

/* Serves one life of the server, to its end. */
static void serve(const char *program, int listen_fd)
{
    int pair[2];
    struct err err = {0};
    if (msg_pair(pair, &err) < 0)
        fail("pair", &err);
    const char *const argv[] = {program, NULL};
    const int passed[] = {listen_fd, pair[1]};
    struct proc_spec spec = {
        .argv = argv, .pass_fds = passed, .n_pass_fds = 2, .die_with_parent = 1};
    pid_t pid = proc_start(&spec, &err);
    if (pid < 0)
        fail("start", &err);
    fd_close(pair[1]);
    FILE *starts = fopen("starts", "ae");
    if (!starts || fprintf(starts, "%d\n", (int)pid) < 0 || fclose(starts) != 0)
        fail("starts", NULL);

    struct control_request request;
    while (msg_recv(pair[0], &request, sizeof request, NULL, NULL) > 0) {
        struct control_reply reply = {.op = request.op};
        err = (struct err){0};
        if (str_equal(mode, "die"))
            break;
        reply.code = answer(&request, &reply, &err);
        (void)str_copy(reply.message, sizeof reply.message, err.msg);
        if (msg_send(pair[0], &reply, sizeof reply, NULL, 0) < 0)
            break;
    }
    fd_close(pair[0]);
    int status = proc_wait(pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        (void)fprintf(stderr, "api-parent: the server ended with wait status %d\n", status);
}

int main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "api.sock"};
    if (argc < 3 || chdir(argv[1]) < 0)
        fail("usage: api-parent DIR SERVER [empty | full | die]", NULL);
    state_dir = argv[1];
    mode = argc > 3 ? argv[3] : "";
    (void)umask(0177);
    int listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(listen_fd, (const struct sockaddr *)&address, sizeof address) < 0 ||
        listen(listen_fd, SOMAXCONN) < 0)
        fail("api.sock", NULL);
    struct pollfd waiting = {.fd = listen_fd, .events = POLLIN};
    while (poll(&waiting, 1, -1) > 0)
        serve(argv[2], listen_fd);
    return EXIT_FAILURE;
}
