#include "rootless-setup/launch/enter.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "rootless-setup/engine/instance.h"

static const struct {
    const char *name;
    int flag;
} kinds[] = {
    {"user", CLONE_NEWUSER}, {"mnt", CLONE_NEWNS},  {"net", CLONE_NEWNET},
    {"ipc", CLONE_NEWIPC},   {"uts", CLONE_NEWUTS}, {"cgroup", CLONE_NEWCGROUP},
};

/* Those that are not ours already: the host's own, which it shares, we may not enter. */
static int flags_to_enter(pid_t pid)
{
    int flags = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        char path[64], own_path[64];
        struct stat theirs, own;
        (void)str_format(path, sizeof path, "/proc/%d/ns/%s", pid, kinds[i].name);
        (void)str_format(own_path, sizeof own_path, "/proc/self/ns/%s", kinds[i].name);
        if (stat(path, &theirs) == 0 && stat(own_path, &own) == 0 &&
            (theirs.st_ino != own.st_ino || theirs.st_dev != own.st_dev))
            flags |= kinds[i].flag;
    }
    return flags;
}

static int set_variables(const struct engine *engine, const struct engine_dirs *dirs,
                         const char *state_dir, uid_t uid, gid_t gid)
{
    char uid_text[16], gid_text[16], socket[4200], url[4300];
    (void)str_format(uid_text, sizeof uid_text, "%u", uid);
    (void)str_format(gid_text, sizeof gid_text, "%u", gid);
    if (setenv("ROOTLESSKIT_STATE_DIR", state_dir, 1) < 0 ||
        setenv("ROOTLESSKIT_PARENT_EUID", uid_text, 1) < 0 ||
        setenv("ROOTLESSKIT_PARENT_EGID", gid_text, 1) < 0)
        return -errno;
    if (engine->socket_variable && engine_path(dirs, &engine->socket, socket, sizeof socket) > 0 &&
        str_format(url, sizeof url, "unix://%s", socket) > 0 &&
        setenv(engine->socket_variable, url, 0) < 0) /* another one is the caller's wish */
        return -errno;
    return 0;
}

/* @return 1, 0 when we are there already, or -errno */
static int join(pid_t pid, struct err *err)
{
    cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    int flags = flags_to_enter(pid);
    if (pidfd >= 0 && flags == 0)
        return 0;
    if (pidfd < 0 || setns(pidfd, flags) < 0)
        return err_sys(err, errno, "cannot enter the namespaces of process %d", pid);
    /* Our other groups stay: files may be reached by them. */
    if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
        return err_sys(err, errno, "cannot become root of the user namespace");
    return 1;
}

/* The file is a mount that only the engine's mount namespace has. */
static int join_detached(const char *state_dir, struct err *err)
{
    char path[PATH_MAX];
    if (str_format(path, sizeof path, "%s/netns", state_dir) < 0)
        return err_set(err, ENAMETOOLONG, "%s is too long a path", state_dir);
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0; /* not detached: we are in it */
    if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
        return err_sys(err, errno, "cannot enter the network %s", path);
    return 0;
}

int enter_engine(const struct engine *engine, const struct engine_dirs *dirs, const char *state_dir,
                 bool network, struct err *err)
{
    struct instance instance;
    char cwd[PATH_MAX] = "/";
    uid_t uid = geteuid();
    gid_t gid = getegid();
    int r = instance_look(state_dir, &instance, err);
    if (r < 0)
        return r;
    if (instance.child == 0)
        return err_set(err, ESRCH,
                       "%s %s (its state directory would be %s): start it with "
                       "`rootless-setup launch %s`, or as a service",
                       engine->title,
                       instance.running ? "is not ready yet" : "does not run for you", state_dir,
                       engine->name);
    if (!getcwd(cwd, sizeof cwd))
        (void)str_copy(cwd, sizeof cwd, "/");
    int entered = join(instance.child, err);
    r = entered >= 0 && network ? join_detached(state_dir, err) : entered;
    if (r < 0 || !entered)
        return r;
    if (chdir(cwd) < 0 && chdir("/") == 0)
        cli_warning("%s does not exist there, so this begins in /", cwd);
    r = set_variables(engine, dirs, state_dir, uid, gid);
    return r < 0 ? err_sys(err, -r, "cannot set the environment") : 0;
}
