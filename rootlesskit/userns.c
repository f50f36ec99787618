#include "rootlesskit/userns.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/file.h"

#define FAILED "failed to start the child: "
#define CHECK "; rootless-setup check finds the cause"

/* @return the switch's value, or -1 where this kernel has none */
static int64_t value_of(int proc_sys_fd, const char *path)
{
    char text[32];
    uint64_t value = 0;
    if (file_read_into(proc_sys_fd, path, text, sizeof text, NULL) < 0)
        return -1;
    struct cursor c = cursor_of(text);
    return cursor_u64(&c, 10, INT32_MAX, &value) ? (int64_t)value : -1;
}

static int explain_refusal(int proc_sys_fd, int code, struct err *err)
{
    if (value_of(proc_sys_fd, "kernel/unprivileged_userns_clone") == 0)
        return err_set(err, code,
                       FAILED "user namespaces are switched off for users "
                              "(kernel.unprivileged_userns_clone is 0); switch them on with: sudo "
                              "sysctl -w kernel.unprivileged_userns_clone=1");
    if (value_of(proc_sys_fd, "kernel/apparmor_restrict_unprivileged_userns") > 0)
        return err_set(err, code,
                       FAILED "AppArmor allows user namespaces only to programs whose profile says "
                              "so (kernel.apparmor_restrict_unprivileged_userns is 1): give "
                              "rootlesskit a profile with \"userns,\"" CHECK);
    return err_set(err, code,
                   FAILED "%s: a container or sandbox around this process (its seccomp filter), or "
                          "a security module, forbids user namespaces" CHECK,
                   strerror(code));
}

int userns_explain(int proc_sys_fd, int code, struct err *err)
{
    int64_t most = value_of(proc_sys_fd, "user/max_user_namespaces");
    switch (code) {
    case EPERM:
    case EACCES:
        return explain_refusal(proc_sys_fd, code, err);
    case ENOSPC:
        if (most == 0)
            return err_set(err, code,
                           FAILED "user namespaces are switched off (user.max_user_namespaces is "
                                  "0); switch them on with: sudo sysctl -w "
                                  "user.max_user_namespaces=15000");
        return err_set(err, code,
                       FAILED "no more namespaces: the limit (user.max_*_namespaces) or the "
                              "nesting depth of 32 is reached" CHECK);
    case EINVAL:
        return err_set(err, code, FAILED "this kernel lacks one of the namespaces" CHECK);
    default:
        return err_sys(err, code, "failed to start the child");
    }
}
