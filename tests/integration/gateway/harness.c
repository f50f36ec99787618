/*
 * Plays rootlesskit's part for the data plane alone: makes the child's namespaces as the user who
 * runs it, starts gateway_run() and then the command inside.
 *
 *   harness [-N] [-l] [-m MTU] [-r RESOLVER] [-p HOSTPORT:CHILDPORT]... [-x HOSTPORT:CHILDPORT]
 *           COMMAND...
 *
 * -N: no network, ports only. -l: gateway_ip does not reach the host's loopback. -x: published, and
 * removed again when a byte arrives on stdin ("removed" is then printed). -v: set-up time to
 * stderr.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/msg.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "rootlesskit/gateway/gateway.h"

#define PORTS_MAX 1100

struct published {
    uint16_t host, child;
};

static struct published ports[PORTS_MAX];
static unsigned n_ports;
static int removable = -1;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "harness: %s: %s\n", what, why);
    exit(125);
}

static void check(int ok, const char *what)
{
    if (!ok)
        die(what, strerror(errno));
}

static void add_port(const char *text)
{
    struct cursor c = cursor_of(text);
    uint64_t host, child;
    if (n_ports == PORTS_MAX || !cursor_u64(&c, 10, 65535, &host) || !cursor_char(&c, ':') ||
        !cursor_u64(&c, 10, 65535, &child) || !cursor_done(&c))
        die("bad port", text);
    ports[n_ports++] = (struct published){(uint16_t)host, (uint16_t)child};
}

/* In the new namespaces; waits for a byte on go_fd, then is the command. */
static void be_child(int ready_fd, int go_fd, int loopback, char **command)
{
    char byte = 0;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    check(unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) == 0, "unshare");
    check(write(ready_fd, "x", 1) == 1, "write");
    if (read(go_fd, &byte, 1) != 1)
        _exit(125);
    if (loopback) {
        cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
        check(ioctl(fd, SIOCSIFFLAGS, &request) == 0, "lo");
    }
    execvp(command[0], command);
    die(command[0], strerror(errno));
}

static void write_maps(pid_t pid)
{
    char path[64], map[64];
    (void)str_format(path, sizeof path, "/proc/%d/setgroups", pid);
    (void)file_poke(AT_FDCWD, path, "deny", NULL);
    (void)str_format(path, sizeof path, "/proc/%d/uid_map", pid);
    (void)str_format(map, sizeof map, "0 %u 1", getuid());
    check(file_poke(AT_FDCWD, path, map, NULL) == 0, path);
    (void)str_format(path, sizeof path, "/proc/%d/gid_map", pid);
    (void)str_format(map, sizeof map, "0 %u 1", getgid());
    check(file_poke(AT_FDCWD, path, map, NULL) == 0, path);
}

static int open_ns(pid_t pid, const char *name)
{
    char path[64];
    (void)str_format(path, sizeof path, "/proc/%d/ns/%s", pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    check(fd >= 0, path);
    return fd;
}

static void receive(int control, const char *what)
{
    struct gateway_reply reply;
    if (msg_recv(control, &reply, sizeof reply, NULL, NULL) != 1)
        die(what, "the data plane is gone");
    if (reply.code < 0)
        die(what, reply.message);
}

static void call(int control, const struct gateway_request *request, int fd, const char *what)
{
    check(msg_send(control, request, sizeof *request, &fd, fd >= 0 ? 1 : 0) == 0, what);
    receive(control, what);
}

static void publish(int control, uint32_t id, const struct published *port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons(port->host),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int yes = 1;
    cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    check(bind(fd, (struct sockaddr *)&sa, sizeof sa) == 0 && listen(fd, 4096) == 0, "publish");
    struct gateway_request request = {.op = GATEWAY_PORT_ADD, .id = id};
    sa.sin_port = htons(port->child);
    memcpy(&request.target, &sa, sizeof sa);
    call(control, &request, fd, "add a port");
}

static void set_resolver(int control, const char *address)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(53)};
    struct gateway_request request = {.op = GATEWAY_RESOLVERS};
    if (address) {
        const char *colon = strchr(address, ':');
        char host[64] = "";
        uint32_t port = 53;
        (void)str_format(host, sizeof host, "%.*s",
                         (int)(colon ? (size_t)(colon - address) : strlen(address)), address);
        if (inet_pton(AF_INET, host, &sa.sin_addr) != 1 ||
            (colon && parse_u32("port", colon + 1, 1, 65535, &port, NULL) < 0))
            die("bad resolver", address);
        sa.sin_port = htons((uint16_t)port);
        memcpy(&request.resolvers[0], &sa, sizeof sa);
        request.n_resolvers = 1;
    }
    call(control, &request, -1, "set resolvers");
}

static pid_t start_data_plane(struct gateway_config *config, pid_t child, int verbose)
{
    int pair[2];
    struct timespec from, to;
    check(msg_pair(pair, NULL) == 0, "socketpair");
    config->userns_fd = open_ns(child, "user");
    config->netns_fd = open_ns(child, "net");
    (void)clock_gettime(CLOCK_MONOTONIC, &from);
    pid_t pid = fork();
    if (pid == 0) {
        config->control_fd = pair[1];
        int keep[] = {pair[1], config->userns_fd, config->netns_fd};
        fd_close_except(keep, 3);
        _exit(gateway_run(config));
    }
    fd_close(pair[1]);
    fd_close(config->userns_fd);
    fd_close(config->netns_fd);
    config->control_fd = pair[0];
    receive(pair[0], "set-up");
    (void)clock_gettime(CLOCK_MONOTONIC, &to);
    if (verbose)
        fprintf(stderr, "harness: set-up took %ld us, pid %d\n",
                (to.tv_sec - from.tv_sec) * 1000000 + (to.tv_nsec - from.tv_nsec) / 1000, pid);
    return pid;
}

static const char *parse(int argc, char **argv, struct gateway_config *config, int *ret_verbose)
{
    const char *resolver = NULL;
    int option;
    while ((option = getopt(argc, argv, "+Nlvm:r:p:x:")) != -1) {
        if (option == 'N')
            config->network = false;
        else if (option == 'l')
            config->host_loopback = false;
        else if (option == 'v')
            *ret_verbose = 1;
        else if (option == 'm' && parse_u32("-m", optarg, 0, UINT32_MAX, &config->mtu, NULL) == 0)
            continue;
        else if (option == 'r')
            resolver = optarg;
        else if (option == 'p' || option == 'x') {
            if (option == 'x')
                removable = (int)n_ports;
            add_port(optarg);
        } else
            die("usage", "harness [OPTIONS] COMMAND...");
    }
    if (optind == argc)
        die("usage", "harness [OPTIONS] COMMAND...");
    return resolver;
}

int main(int argc, char **argv)
{
    struct gateway_config config = {.network = true,
                                    .ports = true,
                                    .host_loopback = true,
                                    .prefix = 24,
                                    .mtu = 65520,
                                    .ifname = "tap0"};
    int verbose = 0, ready[2], go[2];
    const char *resolver = parse(argc, argv, &config, &verbose);
    (void)inet_pton(AF_INET, "10.0.2.100", &config.child_ip);
    (void)inet_pton(AF_INET, "10.0.2.2", &config.gateway_ip);
    (void)inet_pton(AF_INET, "10.0.2.3", &config.dns_ip);
    check(pipe2(ready, O_CLOEXEC) == 0 && pipe2(go, O_CLOEXEC) == 0, "pipe");
    pid_t child = fork();
    check(child >= 0, "fork");
    if (child == 0)
        be_child(ready[1], go[0], !config.network, argv + optind);
    char byte;
    fd_close(ready[1]);
    check(read(ready[0], &byte, 1) == 1, "child");
    write_maps(child);
    pid_t plane = start_data_plane(&config, child, verbose);
    if (config.network)
        set_resolver(config.control_fd, resolver);
    for (unsigned i = 0; i < n_ports; i++)
        publish(config.control_fd, i + 1, &ports[i]);
    check(write(go[1], "x", 1) == 1, "go");
    if (removable >= 0) {
        check(read(STDIN_FILENO, &byte, 1) == 1, "read");
        struct gateway_request request = {.op = GATEWAY_PORT_REMOVE, .id = (uint32_t)removable + 1};
        call(config.control_fd, &request, -1, "remove a port");
        puts("removed");
        (void)fflush(stdout);
    }
    int status, ended;
    check(waitpid(child, &status, 0) == child, "wait");
    fd_close(config.control_fd);
    check(waitpid(plane, &ended, 0) == plane, "wait");
    if (!WIFEXITED(ended) || WEXITSTATUS(ended) != 0)
        die("the data plane", "did not end well");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
