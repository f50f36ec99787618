/*
 * rootlesskit-docker-proxy: what dockerd before version 28 runs for a published port. It publishes
 * the port through rootlesskit, runs the real docker-proxy on the child's address, and takes both
 * back when it is told to end, or is killed (lease.h). It runs inside the namespaces.
 *
 * dockerd reads the result from fd 3: "0\n", or "1\n" and the error.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/fdflag.h"
#include "lib/base/file.h"
#include "lib/base/parse.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "rootlesskit/api/client.h"
#include "rootlesskit/api/lease.h"
#include "rootlesskit/port/spec.h"

#define RESULT_FD 3
#define REAL_PROXY "docker-proxy"

struct proxy {
    const char *container_ip, *container_port, *host_ip, *host_port, *proto;
    char socket[PATH_MAX];
    struct port_spec spec;
    struct lease lease;
};

/* The flags of docker-proxy, which are written Go's way: one dash. */
static int parse_flags(struct proxy *proxy, int argc, char **argv, struct err *err)
{
    static const struct option longs[] = {{"container-ip", required_argument, NULL, 'c'},
                                          {"container-port", required_argument, NULL, 'C'},
                                          {"host-ip", required_argument, NULL, 'h'},
                                          {"host-port", required_argument, NULL, 'H'},
                                          {"proto", required_argument, NULL, 'p'},
                                          {0}};
    const char **const fields[] = {&proxy->container_ip, &proxy->container_port, &proxy->host_ip,
                                   &proxy->host_port, &proxy->proto};
    opterr = 0;
    for (;;) {
        int index = 0, c = getopt_long_only(argc, argv, "+", longs, &index);
        if (c == -1)
            break;
        if (c == '?')
            return err_set(err, EINVAL, "unknown flag %s", argv[optind - 1]);
        *fields[index] = optarg;
    }
    return optind == argc ? 0 : err_set(err, EINVAL, "unexpected argument %s", argv[optind]);
}

static bool host_is_v6(const struct proxy *proxy)
{
    struct sockaddr_storage address;
    return port_ip_parse(proxy->host_ip, &address) == AF_INET6;
}

/* Docker's protocol with the family that it means. @return false: the driver does not have it */
static bool choose_proto(const struct proxy *proxy, const json_t *protos, char *ret, size_t size)
{
    size_t len = strlen(proxy->proto);
    const char *family = host_is_v6(proxy) ? "6" : "4";
    if (len > 0 && strchr("46", proxy->proto[len - 1]))
        family = "";
    if (str_format(ret, size, "%s%s", proxy->proto, family) < 0)
        return false;
    for (size_t i = 0; i < json_array_size(protos); i++)
        if (str_equal(json_string_value(json_array_get(protos, i)), ret))
            return true;
    return false;
}

static int make_spec(struct proxy *proxy, const json_t *info, struct err *err)
{
    const json_t *driver = json_object_get(info, "portDriver");
    const char *child_ip = host_is_v6(proxy) ? "::1" : "127.0.0.1";
    if (json_is_true(json_object_get(driver, "disallowLoopbackChildIP")))
        child_ip =
            json_string_value(json_object_get(json_object_get(info, "networkDriver"), "childIP"));
    struct port_spec *spec = &proxy->spec;
    if (!child_ip || str_copy(spec->child_ip, sizeof spec->child_ip, child_ip) < 0)
        return err_set(err, ENOTSUP,
                       "the port driver forwards to no loopback address, and the network driver "
                       "has no other: use --port-driver=builtin");
    uint32_t port = 0;
    int r = parse_u32("-host-port", proxy->host_port, 1, UINT16_MAX, &port, err);
    if (r < 0)
        return r;
    spec->parent_port = spec->child_port = (uint16_t)port;
    if (str_copy(spec->parent_ip, sizeof spec->parent_ip, proxy->host_ip) < 0)
        return err_set(err, EINVAL, "-host-ip: \"%s\" is no address", proxy->host_ip);
    return 0;
}

/* The result goes to the fd that dockerd waits on; the real proxy gets one of its own to report to.
 */
static void report(const char *message)
{
    char text[ERR_MSG_MAX + 4];
    if (message)
        (void)snprintf(text, sizeof text, "1\n%s", message);
    else
        (void)str_copy(text, sizeof text, "0\n");
    (void)file_write_full(RESULT_FD, text, strlen(text));
    fd_close(RESULT_FD);
}

static pid_t start_real(const struct proxy *proxy, int *ret_result, struct err *err)
{
    const char *const argv[] = {REAL_PROXY,
                                "-container-ip",
                                proxy->container_ip,
                                "-container-port",
                                proxy->container_port,
                                "-host-ip",
                                proxy->spec.child_ip,
                                "-host-port",
                                proxy->host_port,
                                "-proto",
                                proxy->proto,
                                NULL};
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys(err, errno, "cannot make a pipe");
    struct proc_spec spec = {
        .argv = argv, .pass_fds = &ends[1], .n_pass_fds = 1, .die_with_parent = 1};
    pid_t pid = proc_start(&spec, err);
    fd_close(ends[1]);
    if (pid < 0)
        fd_close(ends[0]);
    else
        *ret_result = ends[0];
    return pid;
}

/* "0\n" when it listens; anything else is its error. */
static int await_real(int take_result, struct err *err)
{
    char text[ERR_MSG_MAX];
    ssize_t n = file_read_full(take_result, text, sizeof text - 1);
    fd_close(take_result);
    text[n > 0 ? n : 0] = '\0';
    if (n > 0 && text[0] == '0')
        return 0;
    return err_set(err, EIO, "%s: %s", REAL_PROXY,
                   str_after(text, "1\n") ? text + 2 : "ended without a result");
}

/* Until we are told to end, or docker-proxy or dockerd has. */
static int wait_for_end(pid_t real, const sigset_t *wanted)
{
    for (;;) {
        int sig = sigwaitinfo(wanted, NULL);
        int status = 0;
        if (sig != SIGCHLD && sig > 0) {
            (void)kill(real, SIGTERM);
            (void)proc_wait(real);
            return CLI_OK;
        }
        if (waitpid(real, &status, WNOHANG) == real)
            return WIFEXITED(status) ? WEXITSTATUS(status) : CLI_FAILED;
    }
}

static int run(struct proxy *proxy, const sigset_t *wanted, const json_t *info, struct err *err)
{
    const json_t *driver = json_object_get(info, "portDriver");
    int result = -EBADF;
    int r = make_spec(proxy, info, err);
    if (r < 0)
        return r;
    if (!choose_proto(proxy, json_object_get(driver, "protos"), proxy->spec.proto,
                      sizeof proxy->spec.proto)) {
        /* An error would keep the container from starting, for a port that is perhaps one of two.
         */
        cli_warning("the port driver %s has no %s for %s: port %s is not published",
                    json_string_value(json_object_get(driver, "driver")), proxy->proto,
                    proxy->host_ip, proxy->host_port);
        report(NULL);
        return CLI_OK;
    }
    r = lease_open(&proxy->lease, proxy->socket, &proxy->spec, err);
    pid_t real = r < 0 ? r : start_real(proxy, &result, err);
    r = real < 0 ? real : await_real(result, err);
    int status = CLI_FAILED;
    if (r >= 0) {
        report(NULL);
        status = wait_for_end(real, wanted);
    } else if (real > 0) {
        (void)proc_wait(real);
    }
    lease_close(&proxy->lease);
    return r < 0 ? r : status;
}

static bool has_port_driver(const json_t *info)
{
    const char *name =
        json_string_value(json_object_get(json_object_get(info, "portDriver"), "driver"));
    return name && !str_equal(name, "none") && !str_equal(name, "implicit");
}

/* Without a port driver there is nothing to add: become the real one, which reports by itself. */
static void become_real(char **argv)
{
    static char name[] = REAL_PROXY;
    argv[0] = name;
    execvp(REAL_PROXY, argv);
}

int main(int argc, char **argv)
{
    struct proxy proxy = {.container_ip = "",
                          .container_port = "-1",
                          .host_ip = "",
                          .host_port = "-1",
                          .proto = "tcp"};
    struct err err = {0};
    json_t *info = NULL;
    sigset_t wanted;
    cli_begin("rootlesskit-docker-proxy", RESULT_FD + 1);
    if (fdflag_cloexec(RESULT_FD, 0) < 0) {
        cli_error("fd 3 is not open: it is dockerd that runs this, as its --userland-proxy-path");
        return CLI_FAILED;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* dockerd's end takes the port back, too */
    sigemptyset(&wanted);
    (void)sigaddset(&wanted, SIGINT);
    (void)sigaddset(&wanted, SIGTERM);
    (void)sigaddset(&wanted, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &wanted, NULL);

    int r = parse_flags(&proxy, argc, argv, &err);
    if (r >= 0)
        r = client_default_socket(proxy.socket, sizeof proxy.socket, &err);
    if (r >= 0)
        r = client_request(proxy.socket, "GET", "/v1/info", NULL, &info, &err);
    if (r >= 0 && !has_port_driver(info)) {
        (void)sigprocmask(SIG_UNBLOCK, &wanted, NULL);
        become_real(argv);
        r = err_sys(&err, errno, "cannot execute " REAL_PROXY);
    }
    if (r >= 0)
        r = run(&proxy, &wanted, info, &err);
    json_decref(info);
    if (r >= 0)
        return r;
    report(err.msg);
    return cli_fail(&err, CLI_FAILED);
}
