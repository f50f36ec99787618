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

#define TARGET_MAX (PATH_MAX + sizeof NETNS_FILE + 1)

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

static void target_of(const struct statedir *state, char *ret, size_t size)
{
    (void)str_format(ret, size, "%s/" NETNS_FILE, state->path);
}

int netns_mount(const struct statedir *state, int netns_fd, struct err *err)
{
    char source[64], target[TARGET_MAX];
    (void)str_format(source, sizeof source, "/proc/self/fd/%d", netns_fd);
    target_of(state, target, sizeof target);
    if (mount(source, target, NULL, MS_BIND, NULL) < 0)
        return err_sys(err, errno, "cannot mount the network namespace on %s", target);
    return 0;
}

void netns_unmount(const struct statedir *state)
{
    char target[TARGET_MAX];
    target_of(state, target, sizeof target);
    (void)umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW);
}
