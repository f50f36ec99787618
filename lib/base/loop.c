#include "lib/base/loop.h"

#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"

int loop_init(struct loop *loop, struct err *err)
{
    *loop = (struct loop){.epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    if (loop->epoll_fd < 0)
        return err_sys(err, errno, "cannot make an epoll instance");
    return 0;
}

static void clear_graves(struct loop *loop)
{
    while (loop->graves) {
        struct loop_grave *grave = loop->graves;
        loop->graves = grave->next;
        grave->free_fn(grave);
    }
}

void loop_fini(struct loop *loop)
{
    clear_graves(loop);
    loop->epoll_fd = fd_close(loop->epoll_fd);
}

int loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events, loop_fn *fn)
{
    struct epoll_event ev = {.events = events, .data.ptr = source};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
        source->fd = -1;
        return -errno;
    }
    source->fd = fd;
    source->fn = fn;
    return 0;
}

int loop_mod(struct loop *loop, struct loop_source *source, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = source};
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &ev) < 0 ? -errno : 0;
}

void loop_del(struct loop *loop, struct loop_source *source)
{
    if (source->fd < 0 || !source->fn)
        return;
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
    source->fd = -1;
    source->fn = NULL;
}

void loop_leave(struct loop_source *source)
{
    source->fd = -1;
    source->fn = NULL;
}

void loop_bury(struct loop *loop, struct loop_grave *grave)
{
    grave->next = loop->graves;
    loop->graves = grave;
}

int loop_once(struct loop *loop, int timeout_ms)
{
    struct epoll_event batch[LOOP_BATCH];
    int n = epoll_wait(loop->epoll_fd, batch, LOOP_BATCH, timeout_ms);
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < n; i++) {
        struct loop_source *source = batch[i].data.ptr;
        /* An earlier callback of this batch may have removed it; the memory is still there. */
        if (source->fn)
            source->fn(source, batch[i].events);
    }
    clear_graves(loop);
    return n;
}

int loop_run(struct loop *loop, struct err *err)
{
    loop->stopped = false;
    while (!loop->stopped) {
        int r = loop_once(loop, -1);
        if (r < 0)
            return err_sys(err, -r, "waiting for events failed");
    }
    return 0;
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}
