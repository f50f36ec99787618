/* --net=slirp4netns: the external user-mode TCP stack, version 0.4.0 or newer (slirp4netns(1)). */
#include "rootlesskit/network/network.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "rootlesskit/child.h"

#define READY_WAIT_MS 10000
/* Where pass_fds arrive in the new process. */
#define READY_FD "3"
#define EXIT_FD "4"

struct command_line {
    const char *words[20];
    size_t n;
    char mtu[32], cidr[64], pid[16];
};

static void add(struct command_line *line, const char *word)
{
    line->words[line->n++] = word;
}

static void build(struct command_line *line, const struct rk_config *config,
                  const struct child *child)
{
    (void)str_format(line->mtu, sizeof line->mtu, "--mtu=%u", config->mtu);
    (void)str_format(line->cidr, sizeof line->cidr, "--cidr=%s", config->cidr);
    (void)str_format(line->pid, sizeof line->pid, "%d", child->pid);
    add(line, config->slirp4netns_binary);
    add(line, "--configure");
    add(line, line->mtu);
    add(line, line->cidr);
    add(line, "--ready-fd=" READY_FD);
    add(line, "--exit-fd=" EXIT_FD);
    if (config->disable_host_loopback)
        add(line, "--disable-host-loopback");
    if (!str_equal(config->slirp4netns_sandbox, "false"))
        add(line, "--enable-sandbox");
    if (!str_equal(config->slirp4netns_seccomp, "false"))
        add(line, "--enable-seccomp");
    add(line, line->pid);
    add(line, config->ifname);
}

/* It writes one byte when the interface is up; the end of file means that it died. */
static int wait_ready(int ready_fd, const char *binary, struct err *err)
{
    struct pollfd poll_fd = {.fd = ready_fd, .events = POLLIN};
    int n = poll(&poll_fd, 1, READY_WAIT_MS);
    char byte;
    if (n == 1 && read(ready_fd, &byte, 1) == 1)
        return 0;
    if (n == 0)
        return err_set(err, ETIMEDOUT, "%s was not ready within %d s", binary,
                       READY_WAIT_MS / 1000);
    return err_set(err, EIO,
                   "%s failed to set up the network: its message stands above; rootless-setup "
                   "check tests /dev/net/tun",
                   binary);
}

static int start(struct network *network, const struct command_line *line, int ready_end,
                 struct err *err)
{
    int life[2];
    if (pipe2(life, O_CLOEXEC) < 0)
        return err_sys(err, errno, "cannot make a pipe");
    network->helper_exit_fd = life[1];
    int passed[] = {ready_end, life[0]};
    struct proc_spec spec = {
        .argv = line->words,
        .stdout_fd = STDERR_FILENO,
        .pass_fds = passed,
        .n_pass_fds = 2,
        .die_with_parent = 1,
        .own_group = 1,
    };
    pid_t pid = proc_start(&spec, err);
    fd_close(life[0]);
    if (pid < 0)
        return pid;
    network->helper = pid;
    network->helper_pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    return network->helper_pidfd < 0 ? err_sys(err, errno, "cannot watch %s", line->words[0]) : 0;
}

int network_slirp4netns(struct network *network, const struct rk_config *config,
                        const struct child *child, struct err *err)
{
    struct command_line line = {0};
    build(&line, config, child);
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) < 0)
        return err_sys(err, errno, "cannot make a pipe");
    cleanup_close int reader = ready[0];
    int r = start(network, &line, ready[1], err);
    fd_close(ready[1]);
    return r < 0 ? r : wait_ready(reader, config->slirp4netns_binary, err);
}
