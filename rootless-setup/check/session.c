/* The user's own D-Bus, by which engines ask systemd for cgroups, and what outlives a login. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "rootless-setup/check/explain.h"
#include "rootless-setup/check/probe.h"

#define ANSWER_SECONDS 2

/* The socket that engines take: the variable's, else the usual one. An address of another kind has
 * no path. */
static int bus_path(const struct check_subject *subject, char *ret, size_t size)
{
    const char *address = subject->switch_user ? NULL : getenv("DBUS_SESSION_BUS_ADDRESS");
    if (!address || !address[0])
        return str_format(ret, size, "%s/bus", subject->runtime_dir);
    const char *path = str_after(address, "unix:path=");
    return path ? str_format(ret, size, "%.*s", (int)strcspn(path, ",;"), path) : -EAFNOSUPPORT;
}

/* Connects and logs in as the bus specification's EXTERNAL mechanism has it: it takes us for who we
 * are. @return 0 or -errno; -EACCES when it answers anything but OK */
static int bus_hello(const char *path, uid_t uid)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval limit = {.tv_sec = ANSWER_SECONDS};
    char name[16], hello[64], answer[256] = "";
    if (str_copy(address.sun_path, sizeof address.sun_path, path) < 0)
        return -ENAMETOOLONG;
    cleanup_close int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sock < 0 || setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0 ||
        setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0 ||
        connect(sock, (const struct sockaddr *)&address, sizeof address) < 0)
        return -errno;
    /* A NUL, then the uid as hexadecimal of its decimal digits. */
    (void)snprintf(name, sizeof name, "%u", uid);
    int used = snprintf(hello, sizeof hello, "%cAUTH EXTERNAL ", 0);
    for (const char *c = name; *c; c++)
        used += snprintf(hello + used, sizeof hello - (size_t)used, "%02x", (unsigned char)*c);
    used += snprintf(hello + used, sizeof hello - (size_t)used, "\r\n");
    if (send(sock, hello, (size_t)used, MSG_NOSIGNAL) < 0)
        return -errno;
    ssize_t n = recv(sock, answer, sizeof answer - 1, 0);
    if (n < 0)
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    return n == 0 ? -ECONNRESET : str_after(answer, "OK ") ? 0 : -EACCES;
}

static void say_no_bus(const struct check_context *context, const char *path, int code,
                       struct check_result *result)
{
    if (!context->facts.systemd) {
        check_say_errno(result, CHECK_HINT, code, "connecting to %s", path);
        check_cause(result, "no systemd runs here, so engines manage cgroups without the bus");
        return;
    }
    check_say_errno(result, CHECK_WARNING, code, "logging in to %s", path);
    check_cause(result, code == ENOENT ? "no D-Bus session of the user runs: engines cannot ask "
                                         "systemd for cgroups, so limits are ignored or refused"
                        : code == EACCES || code == EPERM
                            ? "the bus belongs to another user, or refuses this one"
                            : "the socket is there, but nobody answers");
    if (context->distro.manager == MANAGER_APT && code == ENOENT)
        check_remedy(result, REMEDY_ROOT, "apt-get install -y dbus-user-session");
    if (code == ECONNREFUSED || code == ETIMEDOUT || code == ECONNRESET)
        check_remedy(result, REMEDY_USER, "systemctl --user restart dbus.socket dbus.service");
    else
        remedy_session(&context->subject, &context->facts, result);
}

void probe_bus(const struct check_context *context, struct check_result *result)
{
    char path[4200];
    int r = bus_path(&context->subject, path, sizeof path);
    if (r < 0) {
        check_say(result, CHECK_HINT, "DBUS_SESSION_BUS_ADDRESS names no socket in a directory");
        check_cause(result, "not tried: only unix:path= addresses are");
        return;
    }
    r = bus_hello(path, context->subject.uid);
    if (r < 0)
        say_no_bus(context, path, -r, result);
    else
        check_say(result, CHECK_OK, "%s took me for uid %u", path, context->subject.uid);
}

/* logind keeps a file for each user whose manager starts at boot and outlives logins. */
void probe_linger(const struct check_context *context, struct check_result *result)
{
    char path[512];
    if (!context->facts.systemd) {
        check_say(result, CHECK_OK, "no systemd here: nothing ends with a login");
        return;
    }
    if (str_format(path, sizeof path, "/var/lib/systemd/linger/%s", context->subject.name) > 0 &&
        access(path, F_OK) == 0) {
        check_say(result, CHECK_OK, "%s is there", path);
        return;
    }
    check_say(result, CHECK_HINT, "%s is not there", path);
    check_cause(result, "containers and engines of this user end with the last login, and do not "
                        "start at boot");
    check_remedy(result, REMEDY_ROOT, "loginctl enable-linger %u", context->subject.uid);
    result->fixable = true;
}
