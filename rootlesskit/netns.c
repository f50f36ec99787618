#include "rootlesskit/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mount.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "rootlesskit/statedir.h"

/* A thread has a network namespace of its own, and leaves it when it ends. */
static void *make(void *arg)
{
    int *ret = arg;
    *ret =
        unshare(CLONE_NEWNET) < 0 ? -errno : open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (*ret == -1)
        *ret = -errno;
    return NULL;
}

int netns_make(struct err *err)
{
    pthread_t thread;
    int fd = -EAGAIN;
    int r = pthread_create(&thread, NULL, make, &fd);
    if (r != 0)
        return err_sys(err, r, "cannot start a thread");
    (void)pthread_join(thread, NULL);
    return fd < 0 ? err_sys(err, -fd, "cannot make a network namespace") : fd;
}

int netns_mount(const struct statedir *state, int netns_fd, struct err *err)
{
    char source[64], target[PATH_MAX + sizeof NETNS_FILE + 1];
    (void)str_format(source, sizeof source, "/proc/self/fd/%d", netns_fd);
    (void)str_format(target, sizeof target, "%s/" NETNS_FILE, state->path);
    if (mount(source, target, NULL, MS_BIND, NULL) < 0)
        return err_sys(err, errno, "cannot mount the network namespace on %s", target);
    return 0;
}
