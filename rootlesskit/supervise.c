#include "rootlesskit/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/activation.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/loop.h"
#include "lib/base/proc.h"
#include "lib/cli/cli.h"
#include "rootlesskit/handover/filter.h"
#include "rootlesskit/link.h"
#include "rootlesskit/netns.h"
#include "rootlesskit/options.h"
#include "rootlesskit/signals.h"
#include "rootlesskit/statedir.h"

struct supervisor {
    struct loop loop;
    struct loop_source signals;
    struct loop_source parent;
    pid_t command;
    bool reap_all;
    bool ended; /**< the command has; status is its wait status */
    bool parent_gone;
    int status;
};

struct start {
    const struct rk_config *config;
    int link;
};

/* The parent hears of what the command binds and listens with, or why it will not. */
static void let_watch(int link)
{
    cleanup_close int fd = handover_filter_install();
    if (fd < 0)
        (void)link_send(link, LINK_HANDOVER, fd, "");
    else
        (void)link_send_fd(link, LINK_HANDOVER, fd);
}

/* In the new process: as the shell would start it, and gone when the supervisor dies. */
static int exec_command(void *arg)
{
    const struct start *start = arg;
    const struct rk_config *config = start->config;
    signals_restore();
    (void)umask(cli_inherited_umask());
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (config->n_sockets > 0 && activation_hand_on() < 0)
        return -ENOMEM;
    if (config->port_handover)
        let_watch(start->link);
    (void)execvp(config->command[0], config->command);
    return -errno;
}

static int describe_exec(const char *name, int code, struct err *err)
{
    if (code == ENOENT && !strchr(name, '/'))
        return err_set(err, code,
                       "command [%s] exited: exec: \"%s\": executable file not found in $PATH",
                       name, name);
    return err_sys(err, code, "command [%s] exited: exec: \"%s\"", name, name);
}

static int start_command(struct supervisor *sup, const struct rk_config *config, int link,
                         struct err *err)
{
    struct start start = {.config = config, .link = link};
    pid_t pid = proc_exec(exec_command, &start);
    if (pid < 0)
        return describe_exec(config->command[0], -pid, err);
    sup->command = pid;
    activation_close(config->n_sockets);
    return 0;
}

static void reap(struct supervisor *sup)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(sup->reap_all ? -1 : sup->command, &status, WNOHANG)) > 0) {
        if (pid != sup->command)
            continue;
        sup->ended = true;
        sup->status = status;
        loop_stop(&sup->loop);
        return;
    }
}

static void on_signal(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct supervisor *sup = loop_owner(source, struct supervisor, signals);
    struct signalfd_siginfo info;
    if (read(source->fd, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    if (info.ssi_signo == SIGCHLD)
        reap(sup);
    else if (signals_passed_on(&info))
        (void)kill(sup->command, (int)info.ssi_signo);
}

static void on_parent(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct supervisor *sup = loop_owner(source, struct supervisor, parent);
    sup->parent_gone = true; /* it never writes after LINK_GO: this is its end */
    loop_stop(&sup->loop);
}

static int watch(struct supervisor *sup, int signal_fd, int link, struct err *err)
{
    int r = loop_add(&sup->loop, &sup->signals, signal_fd, EPOLLIN, on_signal);
    if (r >= 0)
        r = loop_add(&sup->loop, &sup->parent, link, EPOLLIN | EPOLLRDHUP, on_parent);
    return r < 0 ? err_sys(err, -r, "cannot watch the command") : 0;
}

int supervise_run(const struct rk_config *config, struct statedir *state, int link)
{
    struct err err = {0};
    struct supervisor sup = {.reap_all = config->reap || !config->pidns};
    cleanup_close int proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (!config->pidns)
        (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    cleanup_close int signal_fd = signals_open(&err);
    int r = signal_fd < 0 ? signal_fd : loop_init(&sup.loop, &err);
    if (r >= 0)
        r = watch(&sup, signal_fd, link, &err);
    if (r >= 0)
        r = start_command(&sup, config, link, &err);
    if (r >= 0)
        r = loop_run(&sup.loop, &err);
    loop_fini(&sup.loop);

    /* As pid 1 our exit ends them all (pid_namespaces(7)); else orphans come to us, the subreaper,
     * and without this they could outlive their network. */
    if (!config->pidns)
        proc_kill_family(proc_fd, 0);
    if (sup.parent_gone) {
        netns_unmount(state);
        statedir_remove(state);
        return EXIT_FAILURE;
    }
    if (r < 0)
        (void)link_send(link, LINK_FAILED, r, err.msg);
    else
        (void)link_send(link, LINK_EXITED, sup.status, "");
    return r < 0 ? EXIT_FAILURE : WIFEXITED(sup.status) ? WEXITSTATUS(sup.status) : 255;
}
