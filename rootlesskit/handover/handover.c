#include "rootlesskit/handover/handover.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "rootlesskit/dataplane.h"
#include "rootlesskit/handover/choice.h"
#include "rootlesskit/handover/diag.h"
#include "rootlesskit/handover/holders.h"
#include "rootlesskit/handover/notice.h"
#include "rootlesskit/handover/original.h"
#include "rootlesskit/handover/place.h"
#include "rootlesskit/handover/twin.h"
#include "rootlesskit/options.h"
#include "rootlesskit/port/ports.h"

#define LOOK_MS 250
#define LOOKS 64 /* sockets looked at then: a netlink request each */

struct handover_socket {
    uint32_t id;    /* the port's */
    uint32_t inode; /* the host's socket, of which no fd stays here: it ends with the service */
    struct port_place place;
};

static struct dataplane *plane_of(const struct handover *handover)
{
    return handover->ports->plane;
}

static void set_clock(const struct handover *handover)
{
    const long ns = handover->n > 0 ? LOOK_MS * 1000000L : 0;
    const struct itimerspec spec = {.it_interval.tv_nsec = ns, .it_value.tv_nsec = ns};
    (void)timerfd_settime(handover->clock_fd, 0, &spec, NULL);
}

bool handover_has(const struct handover *handover, uint32_t id)
{
    for (size_t i = 0; i < handover->n; i++)
        if (handover->sockets[i].id == id)
            return true;
    return false;
}

static void forget(struct handover *handover, uint32_t id)
{
    size_t kept = 0;
    for (size_t i = 0; i < handover->n; i++)
        if (handover->sockets[i].id != id)
            handover->sockets[kept++] = handover->sockets[i];
    handover->n = kept;
    set_clock(handover);
}

/* One of the port's sockets listens: of several, which share their clients, any. */
static bool is_served(const struct handover *handover, const struct handover_socket *socket)
{
    uint32_t inode;
    int r = diag_listener(handover->diag_fd, &socket->place.address, &inode);
    if (r < 0)
        return r != -ENOENT; /* not known */
    for (size_t i = 0; i < handover->n; i++)
        if (handover->sockets[i].id == socket->id && handover->sockets[i].inode == inode)
            return true;
    return false;
}

/* What the data plane cannot do now is tried again at the next look. */
static void take_back(struct handover *handover, uint32_t id)
{
    struct err err = {0};
    int r = dataplane_resume_port(plane_of(handover), id, &err);
    if (r >= 0)
        forget(handover, id);
    else
        cli_debug("port %u cannot be relayed again yet: %s", id, err.msg);
}

static void look_at(struct handover *handover, size_t i)
{
    if (i < handover->n && !is_served(handover, &handover->sockets[i]))
        take_back(handover, handover->sockets[i].id);
}

static void look(struct handover *handover)
{
    for (size_t i = handover->n; i-- > 0;)
        look_at(handover, i);
}

/* All of them in turn. */
static void look_at_some(struct handover *handover)
{
    for (int i = 0; i < LOOKS && handover->next > 0; i++)
        look_at(handover, --handover->next);
    if (handover->next == 0)
        handover->next = handover->n;
}

static void add_stand_in(const struct handover *handover, uint32_t id,
                         const struct port_place *place)
{
    struct err err = {0};
    cleanup_close int fd = place->len > 0 ? twin_stand_in(place) : -EBADF;
    if (fd >= 0 && dataplane_add_stand_in(plane_of(handover), id, fd, &err) < 0)
        cli_debug("port %u has no second socket: %s", id, err.msg);
}

static int yield(const struct handover *handover, const struct choice *choice)
{
    int r = 0;
    for (size_t i = 0; i < choice->n && r >= 0; i++)
        if (!handover_has(handover, choice->id[i]))
            r = dataplane_yield_port(plane_of(handover), choice->id[i], NULL);
    return r;
}

/* The host's socket, bound where those of the ports stand. @return an fd or -errno */
static int make_twin(struct handover *handover, const struct original *original,
                     const struct choice *choice, int backlog)
{
    bool first = !handover_has(handover, choice->id[0]);
    int r = yield(handover, choice);
    if (r < 0)
        return r;
    int fd = twin_make(original, &choice->place.twin, backlog, handover->config->handover_locked);
    if (fd >= 0 && first)
        add_stand_in(handover, choice->id[0], &choice->place.stand_in);
    return fd;
}

static int remember(struct handover *handover, const struct choice *choice, int twin)
{
    struct stat st;
    if (fstat(twin, &st) < 0)
        return -errno;
    for (size_t i = 0; i < choice->n; i++)
        handover->sockets[handover->n++] = (struct handover_socket){
            .id = choice->id[i], .inode = (uint32_t)st.st_ino, .place = choice->place.twin};
    set_clock(handover);
    return 0;
}

/* The original listens first: whether it can is the kernel's to say, and it has the answer for the
 * call if it is let pass. */
static int exchange(struct handover *handover, const struct notice *notice,
                    const struct original *original, const struct choice *choice)
{
    const struct sockaddr_storage own = place_own_address(&choice->place.twin);
    bool cloexec;
    int r = notice_cloexec(notice, &cloexec);
    if (r >= 0 && listen(original->fd, notice->backlog) < 0)
        r = -errno;
    cleanup_close int twin = r < 0 ? r : make_twin(handover, original, choice, notice->backlog);
    r = twin < 0
            ? twin
            : dataplane_turn_inward(plane_of(handover), choice->id[0], original->fd, &own, NULL);
    if (r >= 0)
        r = remember(handover, choice, twin);
    if (r >= 0)
        r = notice_replace(notice, twin, cloexec);
    return r;
}

/* After an exchange that came to nothing, the ports are taken back, at once or by a later look. */
static void undo(struct handover *handover, const struct choice *choice)
{
    for (size_t i = 0; i < choice->n; i++)
        if (!handover_has(handover, choice->id[i]))
            handover->sockets[handover->n++] =
                (struct handover_socket){.id = choice->id[i], .place = choice->place.twin};
    set_clock(handover);
    look(handover);
}

/* @return true: the call is done */
static bool hand_over(struct handover *handover, const struct notice *notice)
{
    struct original original;
    struct choice choice;
    cleanup_close int fd = notice_borrow(notice);
    if (fd < 0 || handover->n + 2 > HANDOVER_MAX ||
        original_read(fd, (ino_t)handover->netns, &original) < 0 || choice_is_engine(notice) ||
        !choice_make(handover, &original, notice->backlog, &choice))
        return false;
    int r = exchange(handover, notice, &original, &choice);
    cli_debug("port %u, task %d: %s", choice.id[0], notice->task,
              r < 0 ? strerror(-r) : "its listening socket is the host's now");
    if (r >= 0)
        notice_succeed(notice);
    else
        undo(handover, &choice);
    return r >= 0;
}

/* Not every query of a resolver, which binds too, is a reason to look. */
static bool is_stream(const struct notice *notice)
{
    cleanup_close int fd = notice_borrow(notice);
    int type = 0;
    socklen_t len = sizeof type;
    return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

/* A service that starts anew binds before it listens: its first socket's place must be free. */
static void on_notice(struct loop_source *source, uint32_t events)
{
    struct handover *handover = loop_owner(source, struct handover, notices);
    struct notice notice;
    if (!(events & EPOLLIN)) {
        loop_del(handover->loop, source); /* nobody is under the filter any more */
        return;
    }
    if (notice_receive(source->fd, &notice) < 0)
        return;
    if (handover->n > 0 && is_stream(&notice))
        look(handover);
    if (notice.call != SYS_listen || !hand_over(handover, &notice))
        notice_let_pass(&notice);
}

static void on_clock(struct loop_source *source, uint32_t events)
{
    uint64_t times;
    (void)events;
    (void)!read(source->fd, &times, sizeof times);
    look_at_some(loop_owner(source, struct handover, clock));
}

static int open_all(struct handover *handover, struct err *err)
{
    struct stat st;
    handover->sockets = calloc(HANDOVER_MAX, sizeof *handover->sockets);
    if (!handover->sockets)
        return err_set(err, ENOMEM, "no memory for the sockets of --port-handover");
    if (fstat(handover->netns_fd, &st) < 0)
        return err_sys(err, errno, "cannot look at the child's network namespace");
    handover->netns = st.st_ino;
    handover->clock_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (handover->clock_fd < 0)
        return err_sys(err, errno, "cannot make a timer");
    handover->diag_fd = diag_open();
    return handover->diag_fd < 0
               ? err_sys(err, -handover->diag_fd, "cannot open a socket for socket diagnostics")
               : 0;
}

int handover_start(struct handover *handover, int take_fd, struct err *err)
{
    handover->notice_fd = take_fd;
    int r = open_all(handover, err);
    if (r < 0)
        return r;
    notice_tune(take_fd);
    r = loop_add(handover->loop, &handover->clock, handover->clock_fd, EPOLLIN, on_clock);
    if (r >= 0)
        r = loop_add(handover->loop, &handover->notices, take_fd, EPOLLIN, on_notice);
    return r < 0 ? err_sys(err, -r, "cannot watch the command's calls") : 0;
}

/* Those that listen alone, or all of the port. */
static void end_sockets(const struct handover *handover, const struct handover_socket *socket,
                        bool connections)
{
    cleanup_free uint32_t *inodes = NULL;
    uint32_t listening = socket->inode;
    const struct sockaddr_in *address =
        (const struct sockaddr_in *)(const void *)&socket->place.address;
    ssize_t n =
        connections ? diag_sockets(handover->diag_fd, ntohs(address->sin_port), &inodes) : -ENOTSUP;
    if (n > 0)
        holders_end(inodes, (size_t)n);
    else
        holders_end(&listening, 1);
}

void handover_end(struct handover *handover, uint32_t id, bool connections)
{
    if (!handover_has(handover, id))
        return;
    for (size_t i = 0; i < handover->n; i++)
        if (handover->sockets[i].id == id)
            end_sockets(handover, &handover->sockets[i], connections);
    forget(handover, id);
}

void handover_stop(struct handover *handover)
{
    handover->notice_fd = fd_close(handover->notice_fd);
    handover->clock_fd = fd_close(handover->clock_fd);
    handover->diag_fd = fd_close(handover->diag_fd);
    free(handover->sockets);
    handover->sockets = NULL;
    handover->n = 0;
}
