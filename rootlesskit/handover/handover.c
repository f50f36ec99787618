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
#define LOOKS 64 /* seats looked at then: a netlink request each */

/* Where services have sockets of the host's for a port: one or several, of which no fd stays here,
 * since they are to end with the services. One original answers for all. */
struct handover_seat {
    uint32_t id;     /* the port's */
    uint32_t number; /* its own */
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
        if (handover->seats[i].id == id)
            return true;
    return false;
}

static bool is_taken(const struct handover *handover, uint32_t id, const struct port_place *place)
{
    for (size_t i = 0; i < handover->n; i++)
        if (handover->seats[i].id == id &&
            memcmp(&handover->seats[i].place.address, &place->address, place->len) == 0)
            return true;
    return false;
}

/* Its ports' seats that are not there yet. */
static void sit_down(struct handover *handover, const struct choice *choice)
{
    for (size_t i = 0; i < choice->n; i++)
        if (!is_taken(handover, choice->id[i], &choice->place.twin))
            handover->seats[handover->n++] = (struct handover_seat){
                .id = choice->id[i], .number = handover->last, .place = choice->place.twin};
    set_clock(handover);
}

static void get_up(struct handover *handover, size_t i)
{
    handover->seats[i] = handover->seats[--handover->n];
    set_clock(handover);
}

/* Of the port's own sockets none listens there meanwhile. */
static bool is_served(const struct handover *handover, const struct handover_seat *seat)
{
    return diag_listener(handover->diag_fd, &seat->place.address, NULL) != -ENOENT;
}

static void add_stand_in(const struct handover *handover, uint32_t id,
                         const struct port_place *place)
{
    struct err err = {0};
    cleanup_close int fd = place->len > 0 ? twin_stand_in(place) : -EBADF;
    if (fd >= 0 && dataplane_add_stand_in(plane_of(handover), id, fd, &err) < 0)
        cli_debug("port %u has no second socket: %s", id, err.msg);
}

static bool is_family_served(const struct handover *handover, uint32_t id, int family)
{
    for (size_t i = 0; i < handover->n; i++)
        if (handover->seats[i].id == id && place_takes(&handover->seats[i].place, family))
            return true;
    return false;
}

/* Whose clients nobody takes now are relayed; no others, who might be relayed round and round. */
static void stand_in_for(const struct handover *handover, const struct handover_seat *seat)
{
    static const int families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; i < 2; i++) {
        if (!place_takes(&seat->place, families[i]) ||
            is_family_served(handover, seat->id, families[i]))
            continue;
        const struct port_place place = place_narrow(&seat->place, families[i]);
        add_stand_in(handover, seat->id, &place);
    }
}

/* Nobody sits there any more: with its last seat all of the port is relayed again. */
static void vacate(struct handover *handover, size_t i)
{
    const struct handover_seat seat = handover->seats[i];
    struct err err = {0};
    get_up(handover, i);
    if (handover_has(handover, seat.id)) {
        (void)dataplane_end_inward(plane_of(handover), seat.id, seat.number, NULL);
        stand_in_for(handover, &seat);
    } else if (dataplane_resume_port(plane_of(handover), seat.id, &err) < 0) {
        cli_debug("port %u cannot be relayed again yet: %s", seat.id, err.msg);
        handover->seats[handover->n++] = seat; /* for the next look */
        set_clock(handover);
    }
}

static void look_at(struct handover *handover, size_t i)
{
    if (i < handover->n && !is_served(handover, &handover->seats[i]))
        vacate(handover, i);
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

static int yield(const struct handover *handover, const struct choice *choice)
{
    int r = 0;
    for (size_t i = 0; i < choice->n && r >= 0; i++)
        if (!is_taken(handover, choice->id[i], &choice->place.twin))
            r = dataplane_yield_port(plane_of(handover), choice->id[i], NULL);
    return r;
}

/* The ports make room, and the original's clients are led to where the twin will be.
 * @return the twin, an fd, or -errno */
static int make_twin(struct handover *handover, const struct original *original,
                     const struct choice *choice, int backlog)
{
    const struct sockaddr_storage own = place_own_address(&choice->place.twin);
    const uint32_t id = choice->id[0];
    bool new = !is_taken(handover, id, &choice->place.twin), alone = !handover_has(handover, id);
    int r = yield(handover, choice);
    cleanup_close int fd = r < 0 ? r
                                 : twin_make(original, &choice->place.twin, backlog,
                                             handover->config->handover_locked);
    if (fd >= 0 && alone)
        add_stand_in(handover, id, &choice->place.stand_in);
    r = fd;
    if (fd >= 0 && new)
        r = dataplane_turn_inward(plane_of(handover), id, ++handover->last, original->fd, &own,
                                  NULL);
    return r < 0 ? r : take_fd(&fd);
}

/* The original listens first: whether it can is the kernel's to say, and it has the answer for the
 * call if it is let pass. What came to nothing leaves seats that nobody has: the next look takes
 * them back. */
static int exchange(struct handover *handover, const struct notice *notice,
                    const struct original *original, const struct choice *choice)
{
    bool cloexec;
    int r = notice_cloexec(notice, &cloexec);
    if (r < 0)
        return r;
    if (listen(original->fd, notice->backlog) < 0)
        return -errno;
    cleanup_close int twin = make_twin(handover, original, choice, notice->backlog);
    sit_down(handover, choice);
    return twin < 0 ? twin : notice_replace(notice, twin, cloexec);
}

/* @return true: the call is done */
static bool hand_over(struct handover *handover, const struct notice *notice, int fd)
{
    struct original original;
    struct choice choice;
    if (handover->n + 2 > HANDOVER_MAX || original_read(fd, handover->netns, &original) < 0 ||
        choice_is_engine(notice) || !choice_make(handover, &original, notice->backlog, &choice))
        return false;
    int r = exchange(handover, notice, &original, &choice);
    cli_debug("port %u, task %d: %s", choice.id[0], notice->task,
              r < 0 ? strerror(-r) : "its listening socket is the host's now");
    if (r >= 0)
        notice_succeed(notice);
    else
        look(handover);
    return r >= 0;
}

static bool is_tcp(int fd)
{
    int proto = 0;
    socklen_t len = sizeof proto;
    return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &proto, &len) == 0 &&
           (proto == IPPROTO_TCP || proto == IPPROTO_MPTCP);
}

/* A service that starts anew binds before it listens: its first socket's place must be free. Not
 * every query of a resolver, which binds too, is a reason to look. @return true: the call is done
 */
static bool serve(struct handover *handover, const struct notice *notice)
{
    bool listens = notice->call == SYS_listen;
    cleanup_close int fd = listens || handover->n > 0 ? notice_borrow(notice) : -EBADF;
    if (fd < 0 || !is_tcp(fd))
        return false;
    look(handover);
    return listens && hand_over(handover, notice, fd);
}

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
    if (!serve(handover, &notice))
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
    handover->seats = calloc(HANDOVER_MAX, sizeof *handover->seats);
    if (!handover->seats)
        return err_set(err, ENOMEM, "no memory for the ports of --port-handover");
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

static void end_sockets(const struct handover *handover, const struct port_place *place,
                        bool connections)
{
    cleanup_free uint32_t *inodes = NULL;
    ssize_t n = diag_sockets(handover->diag_fd, place, connections, &inodes);
    if (n > 0)
        holders_end(inodes, (size_t)n);
}

void handover_end(struct handover *handover, uint32_t id, bool connections)
{
    for (size_t i = handover->n; i-- > 0;) {
        if (handover->seats[i].id != id)
            continue;
        end_sockets(handover, &handover->seats[i].place, connections);
        get_up(handover, i);
    }
}

void handover_stop(struct handover *handover)
{
    handover->notice_fd = fd_close(handover->notice_fd);
    handover->clock_fd = fd_close(handover->clock_fd);
    handover->diag_fd = fd_close(handover->diag_fd);
    free(handover->seats);
    handover->seats = NULL;
    handover->n = 0;
}
