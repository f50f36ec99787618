/* A transient scope with limits, as engines ask the user's systemd for one a container: for a
 * process that does nothing, with whose end systemd forgets it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/base/file.h"
#include "lib/base/str.h"
#include "rootless-setup/check/dbus.h"
#include "rootless-setup/check/explain.h"
#include "rootless-setup/check/probe.h"
#include "rootless-setup/check/session.h"

#define MOVED_MS 1000

/* Values that no default has, so that reading them back tells whose they are. */
static const struct {
    const char *property;
    uint64_t value;
    const char *file, *text; /* how the kernel shows it */
    enum check_status when_missing;
} limits[] = {
    {"CPUQuotaPerSecUSec", 700000, "cpu.max", "70000 100000", CHECK_WARNING},
    {"MemoryMax", UINT64_C(536870912), "memory.max", "536870912", CHECK_WARNING},
    {"TasksMax", 123, "pids.max", "123", CHECK_WARNING},
    {"IOWeight", 77, "io.weight", "default 77", CHECK_HINT},
};
#define N_LIMITS (sizeof limits / sizeof limits[0])

static void put_name(struct dbus_body *body, const char *name, const char *signature)
{
    dbus_align(body, 8);
    dbus_put_string(body, name);
    dbus_put_signature(body, signature);
}

/* ssa(sv)a(sa(sv)): name, mode, properties, auxiliary units. */
static void put_scope(struct dbus_body *body, const char *name, pid_t pid)
{
    dbus_put_string(body, name);
    dbus_put_string(body, "fail");
    size_t properties = dbus_array_begin(body);
    put_name(body, "Description", "s");
    dbus_put_string(body, "rootless-setup check");
    put_name(body, "Delegate", "b");
    dbus_put_u32(body, 1);
    put_name(body, "PIDs", "au");
    size_t pids = dbus_array_begin(body);
    dbus_put_u32(body, (uint32_t)pid);
    dbus_array_end(body, pids, 4);
    for (size_t i = 0; i < N_LIMITS; i++) {
        put_name(body, limits[i].property, "t");
        dbus_put_u64(body, limits[i].value);
    }
    dbus_array_end(body, properties, 8);
    size_t auxiliary = dbus_array_begin(body);
    dbus_array_end(body, auxiliary, 8);
}

/* @return 0, or -errno with what the other side says */
static int start_scope(struct dbus *bus, const char *name, pid_t pid, char *error, size_t size)
{
    static const struct dbus_call call = {"org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                                          "org.freedesktop.systemd1.Manager", "StartTransientUnit",
                                          "ssa(sv)a(sa(sv))"};
    static struct dbus_body body;
    body = (struct dbus_body){.n = 0};
    put_scope(&body, name, pid);
    return dbus_call(bus, &call, &body, error, size);
}

/* systemd answers before it moves the process. @return true with its cgroup once it is there */
static bool wait_until_moved(pid_t pid, const char *name, char *ret, size_t size)
{
    char path[64], text[4096];
    (void)snprintf(path, sizeof path, "/proc/%d/cgroup", pid);
    for (int waited = 0; waited < MOVED_MS; waited += 5) {
        const struct timespec pause = {.tv_nsec = 5L * 1000000};
        if (file_read_into(AT_FDCWD, path, text, sizeof text, NULL) < 0)
            return false;
        char *line = strstr(text, "0::");
        if (line) {
            line[strcspn(line, "\n")] = '\0';
            if (strstr(line, name))
                return str_copy(ret, size, line + 3) == 0;
        }
        (void)nanosleep(&pause, NULL);
    }
    return false;
}

static void check_limits(const char *cgroup, struct check_result *result)
{
    char missing[128] = "";
    enum check_status status = CHECK_OK;
    for (size_t i = 0; i < N_LIMITS; i++) {
        char path[4300], text[128] = "";
        if (str_format(path, sizeof path, "/sys/fs/cgroup%s/%s", cgroup, limits[i].file) > 0 &&
            file_read_into(AT_FDCWD, path, text, sizeof text, NULL) > 0 &&
            str_after(text, limits[i].text))
            continue;
        size_t used = strlen(missing);
        (void)snprintf(missing + used, sizeof missing - used, "%s%s", used ? ", " : "",
                       limits[i].file);
        status = check_worse(status, limits[i].when_missing);
    }
    if (status == CHECK_OK) {
        check_say(result, CHECK_OK,
                  "systemd made a scope, and its limits of processor, memory, "
                  "processes and disk hold");
        return;
    }
    check_say(result, status, "systemd made a scope, but without: %s", missing);
    check_cause(result, "the controllers of these are not delegated to the user, so that systemd "
                        "drops the limits without a word");
    remedy_delegate(result);
}

static void say_refused(const struct check_context *context, int code, const char *error,
                        struct check_result *result)
{
    if (code != ECANCELED) {
        check_say_errno(result, CHECK_WARNING, code, "asking the user's systemd for a scope");
        check_cause(result, "the bus took the call, but nobody answered");
    } else {
        check_say(result, CHECK_WARNING, "asking the user's systemd for a scope: %s", error);
        check_cause(result,
                    strstr(error, "ServiceUnknown") || strstr(error, "NameHasNoOwner") ||
                            strstr(error, "Error.Spawn.")
                        ? "the bus is not that of a systemd session: no user manager is on it"
                    : strstr(error, "InteractiveAuthorizationRequired") ||
                            strstr(error, "AccessDenied")
                        ? "it is not the user's own systemd that answers there"
                        : "containers with systemd as cgroup manager fail the same way");
    }
    remedy_session(&context->subject, &context->facts, result);
}

/* With a process of ours that waits. */
static void try_scope(const struct check_context *context, struct dbus *bus, pid_t pid,
                      struct check_result *result)
{
    char name[64], error[256], cgroup[4096];
    (void)snprintf(name, sizeof name, "rootless-check-%d.scope", pid);
    int r = start_scope(bus, name, pid, error, sizeof error);
    if (r < 0) {
        say_refused(context, -r, error, result);
        return;
    }
    if (wait_until_moved(pid, name, cgroup, sizeof cgroup)) {
        check_limits(cgroup, result);
        return;
    }
    check_say(result, CHECK_WARNING, "systemd accepted %s, but did not move the process", name);
    check_cause(result, "its cgroup is not on the unified hierarchy, or systemd may not write "
                        "there: see cgroup");
}

static int enter_nothing(const void *arg)
{
    (void)arg;
    return 0;
}

void probe_scope(const struct check_context *context, struct check_result *result)
{
    char path[4200];
    struct dbus bus;
    if (!context->facts.systemd) {
        check_say(result, CHECK_OK, "no systemd here: engines make cgroups themselves");
        return;
    }
    int r = session_bus_path(&context->subject, path, sizeof path);
    if (r == 0)
        r = dbus_login(path, context->subject.uid, &bus);
    if (r < 0) {
        check_say_errno(result, CHECK_HINT, -r, "no bus on which to ask for a scope");
        check_cause(result, "not tried: see bus");
        return;
    }
    pid_t pid = scratch_hold(enter_nothing, NULL);
    r = pid < 0 ? pid : dbus_hello(&bus);
    if (r < 0)
        say_refused(context, -r, "Hello was refused", result);
    else
        try_scope(context, &bus, pid, result);
    scratch_let_go(pid);
    dbus_close(&bus);
}
