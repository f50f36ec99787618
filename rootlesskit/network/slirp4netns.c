/* --net=slirp4netns: the external user-mode TCP stack, version 0.4.0 or newer (slirp4netns(1)). */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "rootlesskit/child.h"
#include "rootlesskit/network/helper.h"
#include "rootlesskit/network/network.h"
#include "rootlesskit/statedir.h"

/* Where pass_fds arrive in the new process. */
#define READY_FD "3"
#define EXIT_FD "4"
#define NETNS_FD "5"
/* Of its fixed IPv6 network fd00::/64. */
#define DNS_IPV6 "fd00::3"

/* Its isolation, where it is left to us: without it when it fails, whatever the version or kernel.
 * Its sandbox cannot find a namespace that is not its target's own (slirp4netns issue 317). */
struct isolation {
    bool sandbox, seccomp;
    bool optional; /**< somebody may do without */
};

static struct isolation isolation_of(const struct rk_config *config)
{
    bool auto_sandbox = str_equal(config->slirp4netns_sandbox, "auto") && !config->detach_netns;
    bool auto_seccomp = str_equal(config->slirp4netns_seccomp, "auto");
    return (struct isolation){
        .sandbox = auto_sandbox || str_equal(config->slirp4netns_sandbox, "true"),
        .seccomp = auto_seccomp || str_equal(config->slirp4netns_seccomp, "true"),
        .optional = auto_sandbox || auto_seccomp,
    };
}

static struct isolation isolation_insisted(const struct rk_config *config)
{
    return (struct isolation){
        .sandbox = str_equal(config->slirp4netns_sandbox, "true"),
        .seccomp = str_equal(config->slirp4netns_seccomp, "true"),
    };
}

static void add_target(struct helper_line *line, const struct rk_config *config,
                       const struct child *child)
{
    if (config->detach_netns) {
        helper_word(line, "--userns-path=/proc/%d/ns/user", child->pid);
        helper_word(line, "--netns-type=path");
        helper_word(line, "/proc/self/fd/" NETNS_FD);
    } else {
        helper_word(line, "%d", child->pid);
    }
    helper_word(line, "%s", config->ifname);
}

static void build(struct helper_line *line, const struct rk_config *config,
                  const struct child *child, const struct statedir *state,
                  const struct isolation *isolation)
{
    helper_word(line, "%s", config->slirp4netns_binary);
    helper_word(line, "--configure");
    helper_word(line, "--mtu=%u", config->mtu);
    helper_word(line, "--cidr=%s", config->cidr);
    helper_word(line, "--ready-fd=" READY_FD);
    helper_word(line, "--exit-fd=" EXIT_FD);
    if (config->disable_host_loopback)
        helper_word(line, "--disable-host-loopback");
    if (config->ipv6)
        helper_word(line, "--enable-ipv6");
    if (config->port_kind == PORT_SLIRP4NETNS)
        helper_word(line, "--api-socket=%s/" NETWORK_SLIRP4NETNS_SOCKET, state->path);
    if (isolation->sandbox)
        helper_word(line, "--enable-sandbox");
    if (isolation->seccomp)
        helper_word(line, "--enable-seccomp");
    add_target(line, config, child);
}

static int start(struct network *network, const struct helper_line *line, const struct child *child,
                 struct err *err)
{
    int ready[2], life[2];
    if (pipe2(ready, O_CLOEXEC) < 0)
        return err_sys(err, errno, "cannot make a pipe");
    cleanup_close int reader = ready[0];
    cleanup_close int writer = ready[1];
    if (pipe2(life, O_CLOEXEC) < 0)
        return err_sys(err, errno, "cannot make a pipe");
    network->helper_exit_fd = life[1];
    const int passed[] = {writer, life[0], child->netns_fd};
    struct proc_spec spec = {.pass_fds = passed, .n_pass_fds = 3};
    int r = helper_start(network, line, &spec, err);
    fd_close(life[0]);
    writer = fd_close(writer);
    return r < 0 ? r : helper_wait(network, reader, line->words[0], err);
}

/* Besides the IPv4 one, as RootlessKit has it; it answers when a resolver of the host's is IPv6. */
static void add_dns(struct network_info *info)
{
    (void)str_copy(info->dns[info->n_dns], sizeof info->dns[0], DNS_IPV6);
    info->n_dns++;
}

int network_slirp4netns(struct network *network, const struct rk_config *config,
                        const struct child *child, const struct statedir *state, struct err *err)
{
    struct isolation isolation = isolation_of(config);
    struct helper_line line = {0};
    build(&line, config, child, state, &isolation);
    if (config->ipv6)
        add_dns(&network->info);
    int r = start(network, &line, child, err);
    if (r != -EIO || !isolation.optional)
        return r;
    cli_debug("without its own sandbox and filter, because: %s", err->msg);
    network_stop(network);
    isolation = isolation_insisted(config);
    line = (struct helper_line){0};
    build(&line, config, child, state, &isolation);
    return start(network, &line, child, err);
}
