#include "rootlesskit/dataplane.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/msg.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "lib/net/address.h"
#include "rootlesskit/child.h"
#include "rootlesskit/gateway/gateway.h"
#include "rootlesskit/options.h"
#include "rootlesskit/signals.h"

#define REPLY_WAIT_MS 10000

static int receive_any(struct dataplane *plane, struct gateway_reply *ret, int *ret_fd,
                       struct err *err)
{
    *ret_fd = -EBADF;
    struct pollfd poll_fd = {.fd = plane->control_fd, .events = POLLIN};
    int n;
    do
        n = poll(&poll_fd, 1, REPLY_WAIT_MS);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return err_set(err, ETIMEDOUT, "the network process did not answer within %d s",
                       REPLY_WAIT_MS / 1000);
    int r = msg_recv_fd(plane->control_fd, ret, sizeof *ret, ret_fd);
    return r <= 0 ? err_set(err, EPIPE, "the network process ended unexpectedly") : 0;
}

/* The reply to the last request; one that came too late for its own is passed over.
 * @return 0, or the fd that came beside it, the caller's; -errno */
static int receive(struct dataplane *plane, enum gateway_op op, struct gateway_reply *ret,
                   struct err *err)
{
    cleanup_close int fd = -EBADF;
    int r;
    do {
        fd_close(fd);
        r = receive_any(plane, ret, &fd, err);
    } while (r >= 0 && ret->serial != plane->serial);
    if (r < 0)
        return r;
    if (ret->op != (uint32_t)op)
        return err_set(err, EPROTO, "the network process gave an unexpected answer");
    ret->message[sizeof ret->message - 1] = '\0';
    if (ret->code < 0)
        return err_set(err, -ret->code, "%s", ret->message);
    return fd < 0 ? 0 : take_fd(&fd);
}

static int order(struct dataplane *plane, struct gateway_request *request, int fd, struct err *err)
{
    request->serial = ++plane->serial;
    int r = msg_send(plane->control_fd, request, sizeof *request, &fd, fd >= 0 ? 1 : 0);
    return r < 0 ? err_sys(err, -r, "cannot reach the network process") : 0;
}

static int call(struct dataplane *plane, struct gateway_request *request, int fd, struct err *err)
{
    struct gateway_reply reply;
    int r = order(plane, request, fd, err);
    return r < 0 ? r : receive(plane, (enum gateway_op)request->op, &reply, err);
}

static enum gateway_source_ip wanted_source_ip(const struct rk_config *config)
{
    if (config->port_kind != PORT_BUILTIN || !config->source_ip_transparent)
        return GATEWAY_SOURCE_IP_NONE;
    return str_equal(config->source_ip_backend, "nft")        ? GATEWAY_SOURCE_IP_NFT
           : str_equal(config->source_ip_backend, "iptables") ? GATEWAY_SOURCE_IP_IPTABLES
                                                              : GATEWAY_SOURCE_IP_AUTO;
}

/* The host uses it: an address is there, if only the loopback's. Where it was switched off there is
 * none (ipv6.disable, the sysctls disable_ipv6). */
static bool has_ipv6(void)
{
    char line[2];
    cleanup_close int fd = open("/proc/net/if_inet6", O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, line, sizeof line) > 0;
}

/* A unique local network (RFC 4193) that nobody else has: a fixed one, so that rules can name it.
 */
static void fill_ipv6(struct gateway_config *gateway, const struct rk_config *config)
{
    struct policy_network *net = &gateway->policy.v6;
    static const struct in6_addr network = {
        .s6_addr = {0xfd, 0x72, 0x6b, 0x69, 0x00, 0x74, [15] = 0}};
    net->network = net->gateway = net->dns = gateway->child_v6 = network;
    net->prefix = 64;
    net->gateway.s6_addr[15] = 2;
    net->dns.s6_addr[15] = 3;
    gateway->child_v6.s6_addr[14] = 1; /* ::100 */
    gateway->policy.ipv6 =
        config->ipv6_wanted == CLI_ON || (config->ipv6_wanted == CLI_UNSET && has_ipv6());
    gateway->ipv6_must = config->ipv6_wanted == CLI_ON;
}

static void fill_ipv4(struct gateway_config *gateway, const struct rk_config *config)
{
    struct policy_network *net = &gateway->policy.v4;
    struct in_addr network = {.s_addr = config->child_ip.s_addr &
                                        htonl(UINT32_MAX << (32 - config->prefix))};
    net->network = address_map(network);
    net->prefix = (uint8_t)(ADDRESS_V4_BITS + config->prefix);
    net->gateway = address_map(config->gateway_ip);
    net->dns = address_map(config->dns_ip);
    gateway->child_v4 = address_map(config->child_ip);
}

static void fill(struct gateway_config *gateway, const struct rk_config *config)
{
    gateway->network = config->net_kind == NET_GATEWAY;
    gateway->ports = config->port_kind == PORT_BUILTIN;
    gateway->source_ip = wanted_source_ip(config);
    gateway->when_listening = config->publish_when_listening;
    gateway->policy.host_loopback = !config->disable_host_loopback;
    gateway->policy.egress = config->egress;
    fill_ipv4(gateway, config);
    fill_ipv6(gateway, config);
    gateway->mtu = config->mtu;
    (void)str_copy(gateway->ifname, sizeof gateway->ifname, config->ifname);
}

/* In the new process: nothing of the parent's stays open but what the data plane needs. */
static void run(struct gateway_config *gateway, pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    int keep[] = {gateway->control_fd, gateway->resolvers_fd, gateway->userns_fd,
                  gateway->netns_fd};
    fd_close_except(keep, sizeof keep / sizeof keep[0]);
    _exit(gateway_run(gateway));
}

static int fork_it(struct dataplane *plane, struct gateway_config *gateway, struct err *err)
{
    pid_t self = getpid();
    plane->pid = fork();
    if (plane->pid == 0)
        run(gateway, self);
    if (plane->pid < 0) {
        plane->pid = 0;
        return err_sys(err, errno, "cannot start the network process");
    }
    plane->pidfd = (int)syscall(SYS_pidfd_open, plane->pid, 0);
    return plane->pidfd < 0 ? err_sys(err, errno, "cannot watch the network process") : 0;
}

int dataplane_start(struct dataplane *plane, const struct rk_config *config,
                    const struct child *child, struct err *err)
{
    struct gateway_config gateway = {.userns_fd = child->userns_fd, .netns_fd = child->netns_fd};
    int control[2] = {-EBADF, -EBADF}, resolvers[2] = {-EBADF, -EBADF};
    plane->serial = 0;
    fill(&gateway, config);
    int r = msg_pair(control, err);
    if (r >= 0 && gateway.network)
        r = msg_pair(resolvers, err);
    plane->control_fd = control[0];
    plane->resolvers_fd = resolvers[0];
    gateway.control_fd = control[1];
    gateway.resolvers_fd = resolvers[1];
    if (r >= 0)
        r = fork_it(plane, &gateway, err);
    fd_close(control[1]);
    fd_close(resolvers[1]);
    return r;
}

int dataplane_wait(struct dataplane *plane, struct err *err)
{
    struct gateway_reply reply;
    int r = receive(plane, GATEWAY_READY, &reply, err);
    if (r < 0)
        return r;
    plane->ipv6 = reply.ipv6;
    if (reply.source_ip == GATEWAY_SOURCE_IP_NFT)
        plane->source_ip = "nft";
    else if (reply.source_ip == GATEWAY_SOURCE_IP_IPTABLES)
        plane->source_ip = "iptables";
    else
        plane->source_ip = "none";
    if (reply.message[0])
        cli_warning("services behind published ports will not see their clients' addresses: %s; "
                    "--source-ip-transparent=false does without",
                    reply.message);
    return 0;
}

int dataplane_add_port(struct dataplane *plane, uint32_t id, int host_fd,
                       const struct sockaddr_storage *target, struct err *err)
{
    struct gateway_request request = {.op = GATEWAY_PORT_ADD, .id = id, .target = *target};
    struct gateway_request undo = {.op = GATEWAY_PORT_REMOVE, .id = id};
    int r = call(plane, &request, host_fd, err);
    if (r == -ETIMEDOUT) /* nobody knows of a port that it opens later */
        (void)order(plane, &undo, -1, NULL);
    return r;
}

int dataplane_yield_port(struct dataplane *plane, uint32_t id, struct err *err)
{
    struct gateway_request request = {.op = GATEWAY_PORT_YIELD, .id = id};
    return call(plane, &request, -1, err);
}

int dataplane_resume_port(struct dataplane *plane, uint32_t id, struct err *err)
{
    struct gateway_request request = {.op = GATEWAY_PORT_RESUME, .id = id};
    return call(plane, &request, -1, err);
}

int dataplane_add_stand_in(struct dataplane *plane, uint32_t id, int host_fd, struct err *err)
{
    struct gateway_request request = {.op = GATEWAY_PORT_STAND_IN, .id = id};
    return call(plane, &request, host_fd, err);
}

int dataplane_turn_inward(struct dataplane *plane, uint32_t id, uint32_t seat, int child_fd,
                          const struct sockaddr_storage *to, struct err *err)
{
    struct gateway_request request = {
        .op = GATEWAY_PORT_INWARD, .id = id, .seat = seat, .target = *to};
    return call(plane, &request, child_fd, err);
}

int dataplane_end_inward(struct dataplane *plane, uint32_t id, uint32_t seat, struct err *err)
{
    struct gateway_request request = {.op = GATEWAY_PORT_INWARD_END, .id = id, .seat = seat};
    return call(plane, &request, -1, err);
}

int dataplane_dial_port(struct dataplane *plane, uint32_t id, struct err *err)
{
    struct gateway_request request = {.op = GATEWAY_PORT_DIAL, .id = id};
    return call(plane, &request, -1, err);
}

int dataplane_remove_port(struct dataplane *plane, uint32_t id, struct err *err)
{
    struct gateway_request request = {.op = GATEWAY_PORT_REMOVE, .id = id};
    return call(plane, &request, -1, err);
}

int dataplane_drain_port(struct dataplane *plane, uint32_t id, uint32_t seconds, struct err *err)
{
    struct gateway_request request = {.op = GATEWAY_PORT_DRAIN, .id = id, .drain_s = seconds};
    return call(plane, &request, -1, err);
}

int dataplane_port_drained(struct dataplane *plane, uint32_t id, struct err *err)
{
    struct gateway_request request = {.op = GATEWAY_PORT_DRAINED, .id = id};
    return call(plane, &request, -1, err);
}

int dataplane_take_question(const struct dataplane *plane)
{
    char question;
    int r = msg_recv(plane->resolvers_fd, &question, sizeof question, NULL, NULL);
    if (r <= 0)
        return r < 0 ? r : -EPIPE;
    return question == GATEWAY_RESOLVERS_QUESTION ? 0 : -EPROTO;
}

int dataplane_answer(const struct dataplane *plane, const struct gateway_resolvers *resolvers)
{
    return msg_send(plane->resolvers_fd, resolvers, sizeof *resolvers, NULL, 0);
}

static int check_running(const struct dataplane *plane, struct err *err)
{
    return plane->pid > 0 ? 0
                          : err_set(err, ENOTSUP,
                                    "nothing is relayed here: neither --net=gateway nor "
                                    "--port-driver=builtin is in use");
}

int dataplane_write_flows(struct dataplane *plane, int fd, struct err *err)
{
    struct gateway_request request = {.op = GATEWAY_FLOWS};
    int r = check_running(plane, err);
    return r < 0 ? r : call(plane, &request, fd, err);
}

int dataplane_write_services(struct dataplane *plane, int fd, struct err *err)
{
    struct gateway_request request = {.op = GATEWAY_SERVICES};
    int r = check_running(plane, err);
    return r < 0 ? r : call(plane, &request, fd, err);
}

int dataplane_write_totals(struct dataplane *plane, int fd, uint64_t *ret_resident, struct err *err)
{
    struct gateway_request request = {.op = GATEWAY_TOTALS};
    char path[32], status[8192];
    int r = check_running(plane, err);
    if (r < 0)
        return r;
    (void)str_format(path, sizeof path, "/proc/%d/status", (int)plane->pid);
    if (file_read_into(AT_FDCWD, path, status, sizeof status, NULL) < 0)
        status[0] = '\0';
    request.fd_bound = (uint32_t)proc_number(status, "\nFDSize:", 10);
    *ret_resident = proc_number(status, "\nVmRSS:", 10) * 1024;
    return call(plane, &request, fd, err);
}

void dataplane_stop(struct dataplane *plane)
{
    plane->control_fd = fd_close(plane->control_fd);
    plane->resolvers_fd = fd_close(plane->resolvers_fd);
    plane->pidfd = fd_close(plane->pidfd);
    if (plane->pid > 0) {
        (void)kill(plane->pid, SIGKILL);
        (void)proc_wait(plane->pid);
    }
    plane->pid = 0;
}
