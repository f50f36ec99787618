/* cgroup v2: mounted, delegated to the user, and with which controllers. Limits depend on it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/base/cursor.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "rootless-setup/check/explain.h"
#include "rootless-setup/check/probe.h"

#define MOUNT_POINT "/sys/fs/cgroup"
#define MOUNTINFO_MAX (1 << 20)

static bool is_cgroup2(const char *path)
{
    struct statfs fs;
    return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* Our own cgroup from the line "0::PATH" of /proc/self/cgroup. */
static int own_path(char *ret, size_t size)
{
    char text[4096];
    if (file_read_into(AT_FDCWD, "/proc/self/cgroup", text, sizeof text, NULL) < 0)
        return -ENOENT;
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        const char *path = str_after(line, "0::");
        if (path)
            return str_format(ret, size, "%.*s", (int)strcspn(path, "\n"), path) < 0 ? -ENAMETOOLONG
                                                                                     : 0;
    }
    return -ENOENT;
}

static bool writable(const char *path)
{
    char procs[4200];
    return str_format(procs, sizeof procs, MOUNT_POINT "%s/cgroup.procs", path) > 0 &&
           access(procs, W_OK) == 0;
}

/* The service manager of the user, wherever systemd's own root lies (it need not be "/"). */
static bool manager_path(const char *own, uid_t uid, char *ret, size_t size)
{
    const char *slice = strstr(own, "/user.slice");
    int root = slice ? (int)(slice - own) : 0;
    return str_format(ret, size, "%.*s/user.slice/user-%u.slice/user@%u.service", root, own, uid,
                      uid) > 0 &&
           writable(ret);
}

/* The cgroup the user's engine can have: his service manager's, else the highest writable one that
 * we are in. */
static bool find_delegated(uid_t uid, char *ret, size_t size)
{
    char own[3072] = "", path[3072];
    if (own_path(own, sizeof own) < 0)
        return false;
    if (manager_path(own, uid, ret, size))
        return true;
    bool any = false;
    for (;;) {
        if (writable(own)) {
            any = true;
            (void)str_copy(path, sizeof path, own);
        }
        char *slash = strrchr(own, '/');
        if (!slash)
            break;
        *slash = '\0';
    }
    return any && str_copy(ret, size, path) == 0;
}

static bool has_word(const char *words, const char *word)
{
    struct cursor c = cursor_of(words);
    while (!cursor_done(&c)) {
        const char *start;
        size_t len;
        cursor_until(&c, ' ', &start, &len);
        (void)cursor_char(&c, ' ');
        if (len == strlen(word) && strncmp(start, word, len) == 0)
            return true;
    }
    return false;
}

/* "delegated cgroup v2 controllers are required for rootless": k3s ends, the others go on. */
static enum check_status loss(const struct check_context *context)
{
    return context->engine == ENGINE_K3S ? CHECK_FAILED : CHECK_WARNING;
}

static void check_controllers(const struct check_context *context, const char *path,
                              struct check_result *result)
{
    const struct {
        const char *name;
        enum check_status when_missing;
    } wanted[] = {
        {"cpu", loss(context)}, {"memory", loss(context)}, {"pids", loss(context)},
        {"cpuset", CHECK_HINT}, {"io", CHECK_HINT},
    };
    char file[4200], words[512] = "", missing[128] = "";
    (void)str_format(file, sizeof file, MOUNT_POINT "%s/cgroup.controllers", path);
    if (file_read_into(AT_FDCWD, file, words, sizeof words, NULL) > 0)
        words[strcspn(words, "\n")] = '\0';
    enum check_status status = CHECK_OK;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (has_word(words, wanted[i].name))
            continue;
        status = check_worse(status, wanted[i].when_missing);
        size_t used = strlen(missing);
        (void)snprintf(missing + used, sizeof missing - used, "%s%s", used ? " " : "",
                       wanted[i].name);
    }
    check_say(result, status, "%s is delegated with: %s", path[0] ? path : "/",
              words[0] ? words : "no controller");
    if (status == CHECK_OK)
        return;
    check_cause(result, "not delegated: %s; limits that need them are refused or ignored", missing);
    if (context->facts.systemd)
        remedy_delegate(result);
    else
        check_remedy(result, REMEDY_NOTE,
                     "without systemd, whoever makes the cgroup has to name them in "
                     "cgroup.subtree_control of every cgroup above it");
}

/* dockerd looks at one place only, wherever systemd has its root. */
static void check_docker_path(const struct check_context *context, struct check_result *result)
{
    char path[128];
    (void)snprintf(path, sizeof path, MOUNT_POINT "/user.slice/user-%u.slice/cgroup.controllers",
                   context->subject.uid);
    if (context->engine != ENGINE_DOCKER || !context->facts.systemd || access(path, R_OK) == 0)
        return;
    check_say_errno(result, CHECK_WARNING, errno, "reading %s", path);
    check_cause(result, "systemd is not at the root of the cgroup tree here, and dockerd knows no "
                        "other place: it starts without limits, or not at all");
    check_remedy(result, REMEDY_NOTE,
                 "in ~/.config/docker/daemon.json: \"exec-opts\": "
                 "[\"native.cgroupdriver=cgroupfs\"]");
}

static void say_no_v2(const struct check_context *context, struct check_result *result)
{
    bool hybrid = is_cgroup2(MOUNT_POINT "/unified");
    check_say(result, loss(context), "%s is %s", MOUNT_POINT,
              hybrid ? "a hybrid: cgroup v1, with a v2 tree at /sys/fs/cgroup/unified"
              : access(MOUNT_POINT "/cpu", F_OK) == 0 ? "cgroup v1"
                                                      : "not a cgroup v2 tree");
    check_cause(result, "only cgroup v2 can be delegated to a user: containers run, but --memory, "
                        "--cpus and --pids-limit are ignored; k3s does not start");
    if (context->facts.systemd)
        check_remedy(result, REMEDY_NOTE,
                     "boot with systemd.unified_cgroup_hierarchy=1 on the kernel command line");
    else
        check_remedy(
            result, REMEDY_NOTE,
            "have this system's init mount cgroup2 at /sys/fs/cgroup, and no v1 hierarchy");
}

/* runc looks for a cgroup mount in mountinfo and refuses to start anything without one. */
static bool any_mounted(void)
{
    cleanup_free char *mounts = NULL;
    if (file_read(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &mounts, NULL, NULL) < 0)
        return true; /* unknown is no reason to fail */
    return strstr(mounts, " - cgroup ") || strstr(mounts, " - cgroup2 ");
}

static void say_none(struct check_result *result)
{
    check_say(result, CHECK_FAILED, "no cgroup file system is mounted");
    check_cause(result, "runc starts no container without one: \"no cgroup mount found in "
                        "mountinfo\"");
    check_remedy(result, REMEDY_ROOT, "mount -t cgroup2 cgroup2 " MOUNT_POINT);
    check_remedy(result, REMEDY_NOTE, "have this system's init mount it at every boot");
}

void probe_cgroup(const struct check_context *context, struct check_result *result)
{
    char path[3072];
    if (!any_mounted()) {
        say_none(result);
        return;
    }
    if (!is_cgroup2(MOUNT_POINT)) {
        say_no_v2(context, result);
        return;
    }
    if (find_delegated(context->subject.uid, path, sizeof path)) {
        check_controllers(context, path, result);
        check_docker_path(context, result);
        return;
    }
    check_say(result, loss(context), "no cgroup that %s may write to", context->subject.name);
    check_cause(result, "nobody delegated a cgroup to this user: limits of containers are ignored, "
                        "and k3s does not start");
    if (context->facts.systemd)
        check_remedy(result, REMEDY_ROOT, "loginctl enable-linger %u", context->subject.uid);
    else
        check_remedy(result, REMEDY_NOTE,
                     "without systemd, make a cgroup at boot that belongs to the user");
}
