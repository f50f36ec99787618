/*
 * --net=pasta: the external translator between sockets and a tap interface (pasta(1)), since passt
 * 2023_03_09.
 *
 * It runs in the foreground as root of the child's user namespace: so it gains nothing on its way
 * and keeps its parent-death signal. C is its standard input: it closes all other fds at once, and
 * may not look into /proc of other processes. It writes its pid file when it serves: that is a
 * FIFO.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/proc.h"
#include "rootlesskit/child.h"
#include "rootlesskit/network/helper.h"
#include "rootlesskit/network/network.h"
#include "rootlesskit/statedir.h"

#define READY_FIFO ".pasta.pid"

static void add_addresses(struct helper_line *line, const struct rk_config *config)
{
    char text[INET_ADDRSTRLEN];
    helper_word(line, "--address=%s", inet_ntop(AF_INET, &config->child_ip, text, sizeof text));
    helper_word(line, "--netmask=%u", config->prefix);
    helper_word(line, "--gateway=%s", inet_ntop(AF_INET, &config->gateway_ip, text, sizeof text));
    helper_word(line, "--dns-forward=%s", inet_ntop(AF_INET, &config->dns_ip, text, sizeof text));
    if (!config->ipv6)
        helper_word(line, "--ipv4-only");
}

/* Into the child: what it listens on with the implicit port driver. Out of it: pasta would bind the
 * host's ports on the child's loopback and lead there to the host's. With another port driver those
 * are the very ports that the child's own servers need; with --disable-host-loopback they are a way
 * around it (RootlessKit issue 612). */
static void add_ports(struct helper_line *line, const struct rk_config *config)
{
    const char *in = config->port_kind == PORT_IMPLICIT ? "auto" : "none";
    bool out = !config->disable_host_loopback &&
               (config->port_kind == PORT_NONE || config->port_kind == PORT_IMPLICIT);
    if (config->disable_host_loopback)
        helper_word(line, "--no-map-gw");
    helper_word(line, "--tcp-ports=%s", in);
    helper_word(line, "--udp-ports=%s", in);
    helper_word(line, "--tcp-ns=%s", out ? "auto" : "none");
    helper_word(line, "--udp-ns=%s", out ? "auto" : "none");
}

static void build(struct helper_line *line, const struct rk_config *config,
                  const struct statedir *state, bool newer)
{
    helper_word(line, "%s", config->pasta_binary);
    helper_word(line, "--foreground");
    helper_word(line, "--quiet");
    helper_word(line, "--pid=%s/" READY_FIFO, state->path);
    helper_word(line, "--netns-only");
    helper_word(line, "--no-netns-quit");
    helper_word(line, "--netns=/proc/self/fd/0");
    helper_word(line, "--config-net");
    helper_word(line, "--ns-ifname=%s", config->ifname);
    helper_word(line, "--mtu=%u", config->mtu);
    add_addresses(line, config);
    add_ports(line, config);
    if (config->port_kind == PORT_PESTO)
        helper_word(line, "--conf-path=%s/" NETWORK_PASTA_SOCKET, state->path);
    /* Since passt 2024_10_30 the host's loopback no longer leads to the child's without it. */
    if (newer)
        helper_word(line, "--host-lo-to-ns-lo");
}

static int open_fifo(const struct statedir *state, struct err *err)
{
    (void)unlinkat(state->fd, READY_FIFO, 0);
    if (mkfifoat(state->fd, READY_FIFO, 0600) < 0)
        return err_sys(err, errno, "cannot make %s/" READY_FIFO, state->path);
    int fd = openat(state->fd, READY_FIFO, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    return fd < 0 ? err_sys(err, errno, "cannot open %s/" READY_FIFO, state->path) : fd;
}

static int start(struct network *network, const struct rk_config *config, const struct child *child,
                 const struct statedir *state, bool newer, struct err *err)
{
    struct helper_line line = {0};
    build(&line, config, state, newer);
    cleanup_close int ready = open_fifo(state, err);
    if (ready < 0)
        return ready;
    struct proc_spec spec = {.stdin_fd = child->netns_fd, .userns_fd = child->userns_fd};
    int r = helper_start(network, &line, &spec, err);
    if (r >= 0)
        r = helper_wait(network, ready, config->pasta_binary, err);
    (void)unlinkat(state->fd, READY_FIFO, 0);
    return r;
}

static int check_pesto(const struct rk_config *config, struct err *err)
{
    char path[PATH_MAX];
    if (config->port_kind != PORT_PESTO || proc_find(config->pesto_binary, path, sizeof path) == 0)
        return 0;
    return err_set(err, ENOENT,
                   "%s is not installed: it comes with passt 2026_05_07 and newer; use "
                   "--port-driver=implicit or builtin",
                   config->pesto_binary);
}

int network_pasta(struct network *network, const struct rk_config *config,
                  const struct child *child, const struct statedir *state, struct err *err)
{
    int r = check_pesto(config, err);
    /* The newest first: to ask for its version costs as much as a failed start. */
    if (r >= 0)
        r = start(network, config, child, state, true, err);
    if (r == -EIO && helper_lacks_option(err) && config->port_kind != PORT_PESTO) {
        network_stop(network);
        r = start(network, config, child, state, false, err);
    }
    if (r == -EIO && helper_lacks_option(err) && config->port_kind == PORT_PESTO)
        return err_set(err, EIO,
                       "%s is too old for --port-driver=pesto, which needs passt 2026_05_07 or "
                       "newer; use --port-driver=implicit or builtin",
                       config->pasta_binary);
    return r;
}
