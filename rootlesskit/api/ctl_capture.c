/*
 * rootlessctl capture: finds the child's namespaces, opens the file, and becomes
 * rootlesskit-capture (capture.h).
 *
 * Whose namespaces they are: the API names the child before and after its process is opened. Both
 * times the parent had not waited for it, so its number was no other's in between.
 */
#include "rootlesskit/api/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/nsfs.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "rootlesskit/api/client.h"
#include "rootlesskit/api/ctl.h"
#include "rootlesskit/api/libexec.h"
#include "rootlesskit/netns.h"

#define MOVE_ABOVE 64

struct target {
    int userns, netns, child, file;
};

static void close_target(struct target *target)
{
    fd_close(target->userns);
    fd_close(target->netns);
    fd_close(target->child);
    fd_close(target->file);
}

/* @param ret_state  PATH_MAX bytes: the state directory */
static int ask_child(const char *socket_path, pid_t *ret_pid, char *ret_state, struct err *err)
{
    json_t *info = NULL;
    int r = client_request(socket_path, "GET", "/v1/info", NULL, &info, err);
    if (r < 0)
        return r;
    const char *state = json_string_value(json_object_get(info, "stateDir"));
    *ret_pid = (pid_t)json_integer_value(json_object_get(info, "childPID"));
    if (*ret_pid <= 0 || str_copy(ret_state, PATH_MAX, state ? state : "") < 0)
        r = err_set(err, EPROTO, "the API answered without a child");
    else if (!json_object_get(info, "networkDriver"))
        r = err_set(err, EINVAL, "the child has no network of its own (--net=host)");
    json_decref(info);
    return r;
}

/* A path of the child's: with --detach-netns the network namespace is mounted there, and seen in
 * its mount namespace only. @return the namespace; -ENOENT when there is none */
static int open_detached(pid_t pid, const char *state)
{
    char root[64], path[PATH_MAX + sizeof NETNS_FILE + 1];
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK, .resolve = RESOLVE_IN_ROOT};
    (void)str_format(root, sizeof root, "/proc/%d/root", (int)pid);
    if (str_format(path, sizeof path, "%s/" NETNS_FILE, state) < 0)
        return -ENAMETOOLONG;
    cleanup_close int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0)
        return -errno;
    int fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof how);
    if (fd < 0)
        return -errno;
    if (ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET)
        return fd;
    fd_close(fd);
    return -ENOENT;
}

static int open_namespace(pid_t pid, const char *name)
{
    char path[64];
    (void)str_format(path, sizeof path, "/proc/%d/ns/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int open_child(pid_t pid, const char *state, struct target *target, struct err *err)
{
    target->child = (int)syscall(SYS_pidfd_open, pid, 0);
    if (target->child < 0)
        return err_sys(err, errno, "cannot watch the child, process %d", (int)pid);
    target->userns = open_namespace(pid, "user");
    target->netns = open_detached(pid, state);
    if (target->netns == -ENOENT)
        target->netns = open_namespace(pid, "net");
    int worse = target->userns < target->netns ? target->userns : target->netns;
    return worse < 0 ? err_sys(err, -worse, "cannot open the namespaces of the child, process %d",
                               (int)pid)
                     : 0;
}

static int find_child(const char *socket_path, struct target *target, struct err *err)
{
    char state[PATH_MAX];
    pid_t pid = 0, again = 0;
    int r = ask_child(socket_path, &pid, state, err);
    if (r >= 0)
        r = open_child(pid, state, target, err);
    if (r >= 0)
        r = ask_child(socket_path, &again, state, err);
    return r >= 0 && again != pid ? err_set(err, ESRCH, "the child has just ended") : r;
}

/* Packets are nobody else's business, also in a file that was there before. */
static int open_file(const char *path, struct err *err)
{
    struct stat st;
    if (str_equal(path, "-")) {
        if (isatty(STDOUT_FILENO))
            return err_set(err, EINVAL, "stdout is a terminal: packets are no text");
        int copy = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
        return copy < 0 ? err_sys(err, errno, "cannot use stdout") : copy;
    }
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_NOCTTY | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(err, errno, "cannot open %s", path);
    if (fstat(fd, &st) < 0 ||
        (S_ISREG(st.st_mode) && (fchmod(fd, 0600) < 0 || ftruncate(fd, 0) < 0)))
        return err_sys(err, errno, "cannot begin %s anew", path);
    return take_fd(&fd);
}

/* The words with blanks between them. @return NULL when there is no memory */
static char *join_words(int n, char **words)
{
    size_t size = 1;
    for (int i = 0; i < n; i++)
        size += strlen(words[i]) + 1;
    char *text = calloc(1, size), *end = text;
    for (int i = 0; text && i < n; i++)
        end += snprintf(end, size - (size_t)(end - text), "%s%s", i ? " " : "", words[i]);
    return text;
}

/* Puts the fds to where the program finds them. Each is moved out of the way first. */
static int place(const struct target *target, struct err *err)
{
    const int from[] = {target->userns, target->netns, target->child, target->file};
    int moved[CAPTURE_FD_END - CAPTURE_USERNS];
    _Static_assert(sizeof from == sizeof moved, "one each");
    for (int i = 0; i < CAPTURE_FD_END - CAPTURE_USERNS; i++) {
        moved[i] = fcntl(from[i], F_DUPFD_CLOEXEC, MOVE_ABOVE);
        if (moved[i] < 0)
            return err_sys(err, errno, "cannot pass files on");
    }
    for (int i = 0; i < CAPTURE_FD_END - CAPTURE_USERNS; i++)
        if (dup2(moved[i], CAPTURE_USERNS + i) < 0)
            return err_sys(err, errno, "cannot pass files on");
    return 0;
}

/* Signals, the exit status and the terminal are the program's from here on. */
static int become(const struct ctl_config *config, const struct target *target, const char *filter,
                  struct err *err)
{
    char program[PATH_MAX], count[16], snaplen[16];
    (void)str_format(count, sizeof count, "%u", config->count);
    (void)str_format(snaplen, sizeof snaplen, "%u", config->snaplen);
    int r = libexec_find(CAPTURE_PROGRAM, program, sizeof program, err);
    if (r >= 0)
        r = place(target, err);
    if (r < 0)
        return r;
    (void)execl(program, CAPTURE_PROGRAM, config->interface, count, snaplen, filter, (char *)NULL);
    return err_sys(err, errno, "cannot start %s", program);
}

int ctl_capture(struct ctl_config *config, int argc, char **argv, struct err *err)
{
    struct target target = {-EBADF, -EBADF, -EBADF, -EBADF};
    cleanup_free char *filter = join_words(argc, argv);
    if (!config->write || !config->write[0])
        return err_set(err, EINVAL, "-w FILE must say where to write to");
    if (!filter)
        return err_set(err, ENOMEM, "no memory for the filter");
    int r = ctl_find_socket(config, err);
    if (r >= 0)
        r = find_child(config->socket_path, &target, err);
    if (r >= 0)
        r = target.file = open_file(config->write, err);
    if (r >= 0)
        r = become(config, &target, filter, err);
    close_target(&target);
    return r;
}
