#include "rootlesskit/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
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
#include "rootlesskit/cgroup.h"
#include "rootlesskit/copyup.h"
#include "rootlesskit/link.h"
#include "rootlesskit/mounts.h"
#include "rootlesskit/netns.h"
#include "rootlesskit/options.h"
#include "rootlesskit/statedir.h"
#include "rootlesskit/supervise.h"
#include "rootlesskit/userns.h"

#define END_WAIT_MS 5000

/* Waits for one message of the parent. @return 0, or -EPIPE when the parent is gone */
static int await(int link, enum link_op op)
{
    struct link_message message;
    int r = link_receive(link, &message);
    if (r < 0)
        return r;
    return message.op == (uint32_t)op ? 0 : -EPROTO;
}

static int become_root(const struct rk_config *config, struct err *err)
{
    if (config->slice.kind != SLICE_NONE)
        return slice_become_root(err);
    if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
        return err_sys(err, errno, "cannot become root of the user namespace");
    return 0;
}

/* The network is not the command's own but a file in the state directory. */
static bool is_detached(const struct rk_config *config)
{
    return config->detach_netns && config->net_kind != NET_HOST;
}

static int set_up_mounts(const struct rk_config *config, const struct statedir *state, int netns_fd,
                         struct err *err)
{
    int r = mounts_propagate(config->propagation, err);
    if (r >= 0 && is_detached(config))
        r = netns_mount(state, netns_fd, err);
    if (r >= 0)
        r = become_root(config, err);
    if (r >= 0 && config->pidns && mounts_proc(err) < 0)
        cli_warning("%s", err->msg);
    for (size_t i = 0; i < config->copy_up.n && r >= 0; i++)
        r = copyup_dir(config->copy_up.items[i], err);
    if (r >= 0 && config->net_kind != NET_HOST && !config->detach_netns && mounts_sys(err) < 0)
        cli_warning("%s", err->msg);
    if (r >= 0 && config->evacuate_cgroup2 && cgroup_mount(err) < 0)
        cli_warning("--evacuate-cgroup2: %s", err->msg);
    return r;
}

/* The state directory's two files. @param here_fd  the directory, opened in this mount namespace
 * (an fd of the parent's could not be the source of a bind mount) when all above it could be passed
 */
static void mount_network_files(const struct statedir *state, int here_fd)
{
    static const char *const names[] = {"resolv.conf", "hosts"};
    for (int i = 0; i < 2; i++) {
        struct err err = {0};
        char target[32];
        (void)str_format(target, sizeof target, "/etc/%s", names[i]);
        cleanup_close int fd = openat(here_fd, names[i], O_PATH | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
            (void)err_sys(&err, errno, "cannot open %s/%s", state->path, names[i]);
        if (fd < 0 || mounts_file(fd, target, &err) < 0)
            cli_warning("%s", err.msg);
    }
}

static int set_environment(const struct statedir *state, uid_t euid, gid_t egid)
{
    char uid_text[16], gid_text[16];
    (void)str_format(uid_text, sizeof uid_text, "%u", euid);
    (void)str_format(gid_text, sizeof gid_text, "%u", egid);
    return setenv("ROOTLESSKIT_STATE_DIR", state->path, 1) < 0 ||
                   setenv("ROOTLESSKIT_PARENT_EUID", uid_text, 1) < 0 ||
                   setenv("ROOTLESSKIT_PARENT_EGID", gid_text, 1) < 0
               ? -errno
               : 0;
}

/* A slice's root may pass through the state directory, if it gets there. */
static void warn_unreachable(const struct rk_config *config, const struct statedir *state)
{
    if (config->slice.kind != SLICE_NONE && access(state->path, X_OK) < 0)
        cli_warning("--subid-slice: the command cannot reach the API in %s: a directory above is "
                    "closed to other users (chmod o+x it, or choose another --state-dir)",
                    state->path);
}

/* Every step up to the command's start. @return 0; -errno; -EPIPE when the parent is gone */
static int set_up(const struct rk_config *config, const struct statedir *state, int link,
                  struct err *err)
{
    cleanup_close int netns_fd = is_detached(config) ? netns_make(err) : -EBADF;
    cleanup_close int here_fd = open(state->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int r = 0;
    if (is_detached(config))
        r = netns_fd < 0 ? netns_fd : link_send_fd(link, LINK_NETNS, netns_fd);
    if (r >= 0)
        r = await(link, LINK_MAPPED);
    if (r >= 0)
        r = set_up_mounts(config, state, netns_fd, err);
    if (r >= 0)
        r = await(link, LINK_NETWORK);
    if (r >= 0 && options_has_names(config) && !config->detach_netns)
        mount_network_files(state, here_fd);
    if (r >= 0)
        warn_unreachable(config, state);
    return r;
}

static int child_main(const struct rk_config *config, struct statedir *state, int link, uid_t euid,
                      gid_t egid)
{
    cli_set_prefix("[rootlesskit:child ]");
    struct err err = {0};
    int r = set_up(config, state, link, &err);
    if (r < 0) {
        if (err.msg[0])
            (void)link_send(link, LINK_FAILED, r, err.msg);
        return EXIT_FAILURE;
    }
    if (link_send(link, LINK_READY, 0, "") < 0 || await(link, LINK_GO) < 0)
        return EXIT_FAILURE;
    if (set_environment(state, euid, egid) < 0)
        return EXIT_FAILURE;
    return supervise_run(config, state, link);
}

static uint64_t clone_flags(const struct rk_config *config)
{
    uint64_t flags = CLONE_NEWUSER | CLONE_NEWNS;
    if (config->net_kind != NET_HOST && !config->detach_netns)
        flags |= CLONE_NEWNET;
    if (config->pidns)
        flags |= CLONE_NEWPID;
    if (config->cgroupns)
        flags |= CLONE_NEWCGROUP;
    if (config->utsns)
        flags |= CLONE_NEWUTS;
    if (config->ipcns)
        flags |= CLONE_NEWIPC;
    return flags;
}

static int explain_clone(int code, struct err *err)
{
    cleanup_close int proc_sys_fd = open("/proc/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return userns_explain(proc_sys_fd, code, err);
}

static int clone_child(struct child *child, const struct rk_config *config, struct statedir *state,
                       struct err *err)
{
    /* With a file capability this process is not dumpable, and newuidmap may not open the child's
     * /proc/PID/uid_map. Ptrace stays refused to all who have less capabilities (ptrace(2)). */
    (void)prctl(PR_SET_DUMPABLE, 1);
    int pair[2];
    int r = msg_pair(pair, err);
    if (r < 0)
        return r;
    uid_t euid = geteuid();
    gid_t egid = getegid();
    int pidfd = -EBADF;
    struct clone_args args = {
        .flags = clone_flags(config) | CLONE_PIDFD,
        .pidfd = (uint64_t)(uintptr_t)&pidfd,
        .exit_signal = SIGCHLD,
    };
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0) {
        fd_close(pair[0]);
        _exit(child_main(config, state, pair[1], euid, egid));
    }
    int code = errno;
    fd_close(pair[1]);
    child->link_fd = pair[0];
    if (pid < 0)
        return explain_clone(code, err);
    child->pid = pid;
    child->pidfd = pidfd;
    return 0;
}

static int open_namespace(pid_t pid, const char *kind, struct err *err)
{
    char path[64];
    (void)str_format(path, sizeof path, "/proc/%d/ns/%s", pid, kind);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? err_sys(err, errno, "cannot open the child's %s", path) : fd;
}

static int receive_namespace(const struct child *child, struct err *err)
{
    struct link_message message;
    int fd = -EBADF;
    int r = link_receive_fd(child->link_fd, &message, &fd);
    if (r < 0)
        return err_set(err, -r, "the child ended during set-up");
    if (message.op == LINK_FAILED)
        r = err_set(err, EIO, "%s", message.text);
    else if (message.op != LINK_NETNS || fd < 0)
        r = err_set(err, EPROTO, "the child gave an unexpected answer");
    if (r < 0)
        fd_close(fd);
    return r < 0 ? r : fd;
}

int child_start(struct child *ret, const struct rk_config *config, struct statedir *state,
                struct err *err)
{
    int r = is_detached(config) ? file_create(state->fd, NETNS_FILE, 0400, "", err) : 0;
    if (r >= 0)
        r = clone_child(ret, config, state, err);
    if (r >= 0)
        r = ret->userns_fd = open_namespace(ret->pid, "user", err);
    if (r >= 0 && config->net_kind != NET_HOST)
        r = ret->netns_fd = is_detached(config) ? receive_namespace(ret, err)
                                                : open_namespace(ret->pid, "net", err);
    return r < 0 ? r : 0;
}

void child_end(struct child *child)
{
    child->link_fd = fd_close(child->link_fd);
    child->userns_fd = fd_close(child->userns_fd);
    child->netns_fd = fd_close(child->netns_fd);
    if (child->pid <= 0)
        return;
    struct pollfd poll_fd = {.fd = child->pidfd, .events = POLLIN};
    if (poll(&poll_fd, 1, END_WAIT_MS) != 1)
        (void)kill(child->pid, SIGKILL);
    (void)proc_wait(child->pid);
    child->pidfd = fd_close(child->pidfd);
    child->pid = 0;
}
