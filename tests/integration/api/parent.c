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
#include "lib/base/file.h"
#include "lib/base/msg.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "rootlesskit/api/control.h"
#include "rootlesskit/gateway/services.h"
#include "rootlesskit/gateway/stats.h"

#define PORTS_MAX 4096
#define V4(a, b, c, d)                                                                          \
    {                                                                                           \
        .s6_addr = { [10] = 0xff, [11] = 0xff, [12] = (a), [13] = (b), [14] = (c), [15] = (d) } \
    }

static struct control_reply ports[PORTS_MAX]; /* id and spec of each; id 0 = removed */
static uint32_t n_ports;
static uint32_t left; /* questions until the port that was drained last has no connection */
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

/* By its id a port's service is there, not there or unknown; nothing is said of every fourth. */
static int write_services(int fd, struct err *err)
{
    if (!str_equal(mode, "full"))
        return err_set(err, ENOTSUP, "nobody knows");
    int r = 0;
    for (uint32_t i = n_ports; i > 0 && r >= 0; i--) {
        struct services_record record = {.port_id = i, .state = i % 4};
        if (record.state <= SERVICES_UNKNOWN)
            r = file_write_full(fd, &record, sizeof record);
    }
    return r;
}

/* One record of each kind there is. */
static int write_flows(int fd)
{
    static const struct stats_record records[] = {
        {.proto = STATS_TCP,
         .direction = STATS_OUTBOUND,
         .state = STATS_OPEN,
         .child = V4(10, 0, 2, 100),
         .child_port = 40000,
         .remote = V4(10, 0, 2, 2),
         .remote_port = 80,
         .dialled = V4(127, 0, 0, 1),
         .dialled_port = 80,
         .bytes = {100, UINT64_C(5000000000)},
         .age_s = 61,
         .idle_s = 1},
        {.proto = STATS_TCP, .state = STATS_HELD, .child = V4(10, 0, 2, 100), .child_port = 40001},
        {.proto = STATS_TCP,
         .direction = STATS_PUBLISHED,
         .state = STATS_ENDING,
         .port_id = 7,
         .remote = {.s6_addr = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}},
         .remote_port = 50000},
        {.proto = STATS_UDP,
         .direction = STATS_OUTBOUND,
         .state = STATS_MAPPED,
         .child = V4(10, 0, 2, 100),
         .child_port = 5353},
        {.proto = STATS_UDP,
         .direction = STATS_PUBLISHED,
         .state = STATS_CONNECTING,
         .port_id = UINT32_MAX,
         .bytes = {UINT64_MAX / 2, UINT64_MAX / 2},
         .age_s = UINT32_MAX,
         .idle_s = UINT32_MAX},
    };
    return file_write_full(fd, records, sizeof records);
}

/* No two numbers are equal. */
static int write_totals(int fd, struct control_reply *reply)
{
    struct stats_totals totals = {.fds = 20, .fds_max = 1024, .flows_max = 65536, .held_max = 4096};
    uint64_t counters[sizeof totals.counters / sizeof(uint64_t)];
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++)
        counters[i] = 1000 - i;
    memcpy(&totals.counters, counters, sizeof counters);
    reply->n_ports = 3;
    reply->resident = 4096000;
    return file_write_full(fd, &totals, sizeof totals);
}

static int answer(const struct control_request *request, int fd, struct control_reply *reply,
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
    case CONTROL_DRAIN:
        left = request->drain_s;
        return remove_id(request->id, err);
    case CONTROL_DRAINED:
        return left-- > 0 ? -EINPROGRESS : 0;
    case CONTROL_SERVICES:
        return write_services(fd, err);
    case CONTROL_FLOWS:
        return write_flows(fd);
    case CONTROL_TOTALS:
        return write_totals(fd, reply);
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
    int fds[MSG_FDS_MAX];
    size_t n_fds;
    while (n_fds = 0, msg_recv(pair[0], &request, sizeof request, fds, &n_fds) > 0) {
        struct control_reply reply = {.op = request.op};
        err = (struct err){0};
        if (str_equal(mode, "die"))
            break;
        reply.code = answer(&request, n_fds > 0 ? fds[0] : -1, &reply, &err);
        for (size_t i = 0; i < n_fds; i++)
            fd_close(fds[i]);
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
