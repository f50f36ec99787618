/* The namespaces that containers get beside the user namespace, one by one; and whether a mount
 * point can be removed while another mount namespace still has something on it. */
#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "rootless-setup/check/explain.h"
#include "rootless-setup/check/probe.h"
#include "rootless-setup/check/storage.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

static const struct {
    int flag;
    const char *name, *limit;
    const char *file; /* of the drop-in, as rootless-setup fix has it */
    enum check_status when_missing;
    const char *loss;
} kinds[] = {
    {CLONE_NEWNS, "mount", "user.max_mnt_namespaces", "max-mnt", CHECK_FAILED,
     "every container needs it"},
    {CLONE_NEWPID, "pid", "user.max_pid_namespaces", "max-pid", CHECK_FAILED,
     "every container needs it"},
    {CLONE_NEWNET, "network", "user.max_net_namespaces", "max-net", CHECK_FAILED,
     "all but --network=host needs it"},
    {CLONE_NEWIPC, "IPC", "user.max_ipc_namespaces", "max-ipc", CHECK_FAILED,
     "every container needs it"},
    {CLONE_NEWUTS, "UTS", "user.max_uts_namespaces", "max-uts", CHECK_FAILED,
     "every container needs it"},
    {CLONE_NEWCGROUP, "cgroup", "user.max_cgroup_namespaces", "max-cgroup", CHECK_WARNING,
     "containers see the host's cgroups, and --cgroupns=private is refused (Linux 4.6 has it)"},
    {CLONE_NEWTIME, "time", "user.max_time_namespaces", "max-time", CHECK_HINT,
     "only checkpoint and restore want it (Linux 5.6 has it)"},
};
#define N_KINDS (sizeof kinds / sizeof kinds[0])

static void say_missing(const struct check_context *context, size_t kind, int code,
                        struct check_result *result)
{
    check_say_errno(result, kinds[kind].when_missing, code,
                    "making a %s namespace inside a user namespace", kinds[kind].name);
    check_cause(result, "%s", kinds[kind].loss);
    if (code == ENOSPC || code == EUSERS) {
        check_cause(result, "%s is 0 or used up by this user", kinds[kind].limit);
        remedy_sysctl(result, kinds[kind].limit, "28633", kinds[kind].file);
    } else if (code == EINVAL || code == ENOSYS) {
        check_cause(result, "the kernel %s has none", context->facts.kernel_release);
    } else {
        explain_userns(SCRATCH_USE, code, &context->facts, result);
    }
}

void probe_namespaces(const struct check_context *context, struct check_result *result)
{
    struct err err = {0};
    enum scratch_step step;
    int r = scratch_userns(0, &step, &err);
    if (r < 0) {
        check_say_errno(result, CHECK_FAILED, -r, "a user namespace");
        explain_userns(step, -r, &context->facts, result);
        return;
    }
    check_say(result, CHECK_OK,
              "made a mount, pid, network, IPC, UTS, cgroup and time namespace inside it");
    for (size_t i = 0; i < N_KINDS; i++) {
        if (unshare(kinds[i].flag) == 0)
            continue;
        int code = errno;
        if (result->status == CHECK_OK)
            say_missing(context, i, code, result);
        else
            check_cause(result, "no %s namespace either", kinds[i].name);
    }
}

static int enter_mounted(const void *dir)
{
    struct err err = {0};
    enum scratch_step step;
    int r = scratch_userns(CLONE_NEWNS, &step, &err);
    return r == 0 && mount("tmpfs", dir, "tmpfs", 0, "size=4k") < 0 ? -errno : r;
}

/* @return 0; the errno of removing the directory; -errno when it could not be tried */
static int remove_mounted(const char *dir)
{
    pid_t holder = scratch_hold(enter_mounted, dir);
    if (holder < 0)
        return holder;
    int r = rmdir(dir) < 0 ? errno : 0;
    scratch_let_go(holder);
    return r;
}

/* Kernels of RHEL 7's age refuse it unless a switch is set, and containers cannot be removed. */
void probe_detach(const struct check_context *context, struct check_result *result)
{
    char buf[4096], dir[4200];
    const char *parent = storage_dir(context, buf, sizeof buf);
    struct scratch_dir scratch;
    struct err err = {0};
    int r = scratch_dir_make(parent, &scratch, &err);
    if (r < 0 && storage_no_room(-r, parent, result))
        return;
    if (r < 0) {
        check_say_errno(result, CHECK_FAILED, -r, "making a scratch directory in %s", parent);
        explain_no_scratch(-r, parent, &context->subject, result);
        return;
    }
    r = str_format(dir, sizeof dir, "%s/mounted", scratch.path) < 0 ? -ENAMETOOLONG
        : mkdir(dir, 0700) < 0                                      ? -errno
                                                                    : remove_mounted(dir);
    scratch_dir_remove(&scratch);
    if (r == 0) {
        check_say(result, CHECK_OK,
                  "removed a directory that is a mount point in another namespace");
        return;
    }
    if (storage_no_room(r < 0 ? -r : 0, parent, result))
        return;
    check_say_errno(result, r > 0 ? CHECK_WARNING : CHECK_FAILED, r > 0 ? r : -r,
                    "removing a directory that is a mount point in another namespace");
    check_cause(result, r == EBUSY
                            ? "fs.may_detach_mounts is 0, or the kernel older than 3.18: while "
                              "anybody's namespace holds a container's mount, the container cannot "
                              "be removed (device or resource busy)"
                            : "it could not be tried");
    if (r == EBUSY && access("/proc/sys/fs/may_detach_mounts", F_OK) == 0)
        remedy_sysctl(result, "fs.may_detach_mounts", "1", "detach");
}
