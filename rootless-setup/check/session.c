/* The user's own D-Bus, by which engines ask systemd for cgroups, and what outlives a login. */
#include "rootless-setup/check/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "rootless-setup/check/dbus.h"
#include "rootless-setup/check/explain.h"
#include "rootless-setup/check/probe.h"

int session_bus_path(const struct check_subject *subject, char *ret, size_t size)
{
    const char *address = subject->switch_user ? NULL : getenv("DBUS_SESSION_BUS_ADDRESS");
    if (!address || !address[0])
        return str_format(ret, size, "%s/bus", subject->runtime_dir) < 0 ? -ENAMETOOLONG : 0;
    const char *path = str_after(address, "unix:path=");
    if (!path)
        return -EAFNOSUPPORT;
    return str_format(ret, size, "%.*s", (int)strcspn(path, ",;"), path) < 0 ? -ENAMETOOLONG : 0;
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
    struct dbus bus;
    int r = session_bus_path(&context->subject, path, sizeof path);
    if (r < 0) {
        check_say(result, CHECK_HINT, "DBUS_SESSION_BUS_ADDRESS names no socket in a directory");
        check_cause(result, "not tried: only unix:path= addresses are");
        return;
    }
    r = dbus_login(path, context->subject.uid, &bus);
    if (r < 0) {
        say_no_bus(context, path, -r, result);
        return;
    }
    dbus_close(&bus);
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
        files_has(&context->files, path)) {
        check_say(result, CHECK_OK, "%s is there", path);
        return;
    }
    check_say(result, CHECK_HINT, "%s is not there", path);
    check_cause(result, "containers and engines of this user end with the last login, and do not "
                        "start at boot");
    check_remedy(result, REMEDY_ROOT, "loginctl enable-linger %u", context->subject.uid);
    result->fixable = true;
}
