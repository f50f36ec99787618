/* User namespaces: creation, the map, and whether its root has the power it seems to have. */
#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/proc.h"
#include "rootless-setup/check/explain.h"
#include "rootless-setup/check/probe.h"

void probe_userns(const struct check_context *context, struct check_result *result)
{
    struct err err = {0};
    enum scratch_step step;
    int r = scratch_userns(CLONE_NEWNS, &step, &err);
    if (r < 0) {
        check_say_errno(result, CHECK_FAILED, -r, "%s",
                        step == SCRATCH_CREATE ? "unshare(CLONE_NEWUSER)"
                        : step == SCRATCH_MAP  ? "writing the map of a new user namespace"
                                               : "a mount namespace inside a user namespace");
    } else if (mount("tmpfs", "/tmp", "tmpfs", 0, "size=4k") < 0) {
        r = -errno;
        check_say_errno(result, CHECK_FAILED, errno, "mounting tmpfs inside a user namespace");
    }
    if (r < 0)
        explain_userns(step, -r, &context->facts, result);
    else
        check_say(result, CHECK_OK, "made one, mapped myself to its root, mounted tmpfs in it");
}

/* Every container gets a pid namespace with a /proc of its own. */
void probe_proc(const struct check_context *context, struct check_result *result)
{
    struct err err = {0};
    enum scratch_step step;
    int r = scratch_userns(CLONE_NEWNS | CLONE_NEWPID, &step, &err);
    if (r < 0) {
        check_say_errno(result, CHECK_FAILED, -r, "a pid namespace inside a user namespace");
        explain_userns(step, -r, &context->facts, result);
        return;
    }
    pid_t init = fork();
    if (init == 0)
        _exit(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 ? errno
                                                                                         : 0);
    int status = init < 0 ? -errno : proc_wait(init);
    int code = status < 0 ? -status : WEXITSTATUS(status);
    if (code == 0) {
        check_say(result, CHECK_OK, "mounted proc as the first process of a pid namespace");
        return;
    }
    check_say_errno(result, CHECK_FAILED, code, "mounting proc in a pid namespace of one's own");
    if (code == EPERM) {
        check_cause(result, "parts of /proc are covered by other mounts, as in a container, and "
                            "the kernel then refuses a fresh one");
        check_remedy(result, REMEDY_NOTE,
                     "in a container: start it with --security-opt "
                     "systempaths=unconfined, or with nesting on (LXC)");
    } else {
        explain_userns(step, code, &context->facts, result);
    }
}
