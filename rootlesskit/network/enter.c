#include "rootlesskit/network/enter.h"

#include <errno.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/proc.h"
#include "rootlesskit/child.h"

int enter_child(const struct child *child)
{
    return setns(child->userns_fd, CLONE_NEWUSER) < 0 || setns(child->netns_fd, CLONE_NEWNET) < 0
               ? -errno
               : 0;
}

int enter_and_do(const struct child *child, enter_fn *fn, const void *arg, const char *what,
                 struct err *err)
{
    pid_t pid = fork();
    if (pid < 0)
        return err_sys(err, errno, "cannot start a process");
    if (pid == 0) {
        int r = enter_child(child);
        if (r >= 0)
            r = fn(arg);
        _exit(r < 0 ? -r : 0);
    }
    int status = proc_wait(pid);
    if (status == 0)
        return 0;
    return err_sys(err, WIFEXITED(status) ? WEXITSTATUS(status) : EINTR, "%s", what);
}
