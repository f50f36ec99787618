#include "rootless-setup/install/kit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "rootless-setup/engine/instance.h"

/* Docker gives its containers ten seconds, and itself some. */
#define END_SECONDS 60

static pid_t parent_of(pid_t pid)
{
    char path[64], text[4096];
    uint64_t parent = 0;
    if (str_format(path, sizeof path, "/proc/%d/status", pid) < 0 ||
        file_read_into(AT_FDCWD, path, text, sizeof text, NULL) < 0)
        return 0;
    const char *line = strstr(text, "\nPPid:\t");
    if (!line)
        return 0;
    struct cursor c = cursor_of(line + strlen("\nPPid:\t"));
    return cursor_u64(&c, 10, INT32_MAX, &parent) ? (pid_t)parent : 0;
}

pid_t kit_find(const char *state)
{
    struct instance instance;
    if (instance_look(state, &instance, NULL) < 0 || instance.child == 0)
        return 0;
    pid_t parent = parent_of(instance.child);
    return parent > 1 ? parent : 0;
}

int kit_end(pid_t pid, struct err *err)
{
    cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0 && errno == ESRCH)
        return 0;
    if (pidfd < 0 || syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0) < 0)
        return err_sys(err, errno, "cannot end process %d", pid);
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    int n = poll(&ended, 1, END_SECONDS * 1000);
    if (n < 0)
        return err_sys(err, errno, "cannot wait for process %d", pid);
    return n > 0 ? 0
                 : err_set(err, ETIMEDOUT, "process %d does not end: kill %d, then try again", pid,
                           pid);
}
