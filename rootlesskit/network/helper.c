#include "rootlesskit/network/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "rootlesskit/child.h"
#include "rootlesskit/network/enter.h"
#include "rootlesskit/network/network.h"

#define READY_WAIT_MS 10000
#define UNKNOWN_OPTION "unrecognized option"

void helper_word(struct helper_line *line, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    size_t room = sizeof line->text - line->used;
    char *word = line->text + line->used;
    int n = vsnprintf(word, room, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= room || line->n >= HELPER_WORDS_MAX - 1) {
        line->used = sizeof line->text; /* too long: helper_start() says so */
        return;
    }
    line->words[line->n++] = word;
    line->used += (size_t)n + 1;
}

static int explain_start(const char *name, int code, struct err *err)
{
    if (code != ENOENT)
        return -code;
    return err_set(err, ENOENT,
                   "%s is not installed: install the package that has it (rootless-setup check "
                   "says how), or choose another network driver",
                   name);
}

/* Neither end blocks: what nobody reads must not stop a program that talks a lot. */
static int open_said(struct network *network, int *ret_writer, struct err *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return err_sys(err, errno, "cannot make a pipe");
    network->said_fd = ends[0];
    *ret_writer = ends[1];
    return 0;
}

int helper_start(struct network *network, const struct helper_line *line, struct proc_spec *spec,
                 struct err *err)
{
    cleanup_close int writer = -EBADF;
    if (line->used >= sizeof line->text || line->n == 0)
        return err_set(err, ENAMETOOLONG, "the command line of a network helper is too long");
    int r = cli_debugging() ? 0 : open_said(network, &writer, err);
    if (r < 0)
        return r;
    cleanup_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    spec->argv = line->words;
    spec->stdout_fd = writer >= 0 ? null : STDERR_FILENO; /* slirp4netns chats there */
    spec->stderr_fd = writer >= 0 ? writer : STDERR_FILENO;
    spec->die_with_parent = 1;
    spec->own_group = 1;
    pid_t pid = proc_start(spec, err);
    if (pid < 0)
        return explain_start(line->words[0], -pid, err);
    network->helper = pid;
    network->helper_pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    return network->helper_pidfd < 0 ? err_sys(err, errno, "cannot watch %s", line->words[0]) : 0;
}

/* The line of @p text that says what went wrong: the one about an option, for usage follows it;
 * else the last. What passt has to say about a missing syslog is left out. */
static void pick_line(const char *text, char *ret, size_t size)
{
    struct cursor c = cursor_of(text);
    const char *line;
    size_t len;
    (void)str_copy(ret, size, "");
    while (!cursor_done(&c)) {
        cursor_until(&c, '\n', &line, &len);
        (void)cursor_char(&c, '\n');
        if (len == 0 || str_after(line, "Failed to send "))
            continue;
        (void)snprintf(ret, size, "%.*s", (int)len, line);
        if (strstr(ret, UNKNOWN_OPTION))
            return;
    }
}

static void drain(struct network *network)
{
    char text[4096];
    while (network->said_fd >= 0 && read(network->said_fd, text, sizeof text) > 0)
        ;
}

void network_last_words(struct network *network, char *ret, size_t size)
{
    char text[16384];
    ssize_t n = network->said_fd < 0 ? 0 : read(network->said_fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    pick_line(text, ret, size);
}

static int explain_end(struct network *network, const char *name, struct err *err)
{
    char said[512], how[64];
    int status = proc_wait(network->helper);
    network->helper = 0;
    network_last_words(network, said, sizeof said);
    (void)proc_describe(status, how, sizeof how);
    return err_set(err, EIO, "%s failed: %s%s%s%s; rootless-setup check looks for the cause", name,
                   said[0] ? said : how, said[0] ? " (" : "", said[0] ? how : "",
                   said[0] ? ")" : "");
}

/* An end of file comes a moment before the end of the process. */
int helper_wait(struct network *network, int ready_fd, const char *name, struct err *err)
{
    struct pollfd fds[] = {{.fd = ready_fd, .events = POLLIN},
                           {.fd = network->helper_pidfd, .events = POLLIN}};
    char byte;
    for (;;) {
        int n = poll(fds, 2, READY_WAIT_MS);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_set(err, ETIMEDOUT, "%s was not ready within %d s", name,
                           READY_WAIT_MS / 1000);
        if ((fds[0].revents & POLLIN) && read(ready_fd, &byte, 1) == 1) {
            drain(network); /* what it said on its way is not why it ends one day */
            return 0;
        }
        if (fds[1].revents)
            return explain_end(network, name, err);
        fds[0].fd = -1;
    }
}

int helper_lacks_option(const struct err *err)
{
    return strstr(err->msg, UNKNOWN_OPTION) != NULL;
}

/* Dumpable, or the files in /proc/PID/ns would not open for those who share our user namespace. */
static void hold(const struct child *child, pid_t parent, int life)
{
    if (enter_child(child) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0)
        _exit(1);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    char byte = 0;
    if (getppid() == parent && write(life, &byte, 1) == 1)
        (void)!read(life, &byte, 1);
    _exit(0);
}

int helper_hold(struct helper_holder *holder, const struct child *child, int detached,
                struct err *err)
{
    *holder = (struct helper_holder){.pid = child->pid, .life_fd = -EBADF};
    if (!detached)
        return 0;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(err, errno, "cannot make a pair of sockets");
    pid_t self = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        fd_close(pair[0]);
        hold(child, self, pair[1]);
    }
    int code = errno;
    fd_close(pair[1]);
    holder->life_fd = pair[0];
    if (pid < 0)
        return err_sys(err, code, "cannot start a process");
    holder->pid = holder->own = pid;
    char byte;
    if (read(holder->life_fd, &byte, 1) == 1)
        return 0;
    helper_release(holder);
    return err_set(err, EIO, "cannot enter the child's network namespace");
}

void helper_release(struct helper_holder *holder)
{
    holder->life_fd = fd_close(holder->life_fd);
    if (holder->own > 0)
        (void)proc_wait(holder->own);
    holder->own = 0;
}
