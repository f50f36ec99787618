#include "rootlesskit/handover/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "lib/base/clock.h"
#include "lib/base/fd.h"

#define FIRST_MS 300 /* Docker's proxy is in between, on a machine that has much to do */
#define OTHERS_MS 5

static int left_of(int64_t until)
{
    int64_t left = until - clock_ms();
    return left > 0 ? (int)left : 0;
}

static bool await(int fd, short events, int64_t until)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};
    return poll(&poll_fd, 1, left_of(until)) == 1 && (poll_fd.revents & events);
}

/* Of a connection that is refused, or does not come about, nothing is to be expected. */
static void speak(struct probe *probe, int64_t until)
{
    probe->state = PROBE_OVER;
    if (probe->fd >= 0 && await(probe->fd, POLLOUT, until) &&
        getrandom(probe->word, sizeof probe->word, 0) == (ssize_t)sizeof probe->word &&
        send(probe->fd, probe->word, sizeof probe->word, MSG_NOSIGNAL) ==
            (ssize_t)sizeof probe->word)
        probe->state = PROBE_OPEN;
}

/* The address of who comes may have been translated on the way; the word has not. */
static void hear(int listener, struct probe *probes, size_t n, int64_t until)
{
    char heard[PROBE_WORD];
    cleanup_close int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 || !await(fd, POLLIN, until) ||
        recv(fd, heard, sizeof heard, 0) != (ssize_t)sizeof heard)
        return;
    for (size_t i = 0; i < n; i++)
        if (probes[i].state == PROBE_OPEN && memcmp(heard, probes[i].word, sizeof heard) == 0)
            probes[i].state = PROBE_MET;
}

/* The listener, and behind it those that may still come out there. */
static nfds_t collect(int listener, const struct probe *probes, size_t n, struct pollfd *ret)
{
    nfds_t open = 0;
    ret[0] = (struct pollfd){.fd = listener, .events = POLLIN};
    for (size_t i = 0; i < n; i++) {
        ret[i + 1] = (struct pollfd){.fd = probes[i].state == PROBE_OPEN ? probes[i].fd : -1,
                                     .events = POLLIN};
        open += probes[i].state == PROBE_OPEN;
    }
    return open;
}

static bool has_met(const struct probe *probes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (probes[i].state == PROBE_MET)
            return true;
    return false;
}

/* Who answers, or ends the connection, is somebody else. */
static void take_off(struct probe *probes, size_t n, const struct pollfd *polled)
{
    for (size_t i = 0; i < n; i++)
        if (probes[i].state == PROBE_OPEN && polled[i + 1].revents)
            probes[i].state = PROBE_OVER;
}

static void await_all(int listener, struct probe *probes, size_t n, int64_t until)
{
    struct pollfd polled[PROBES_MAX + 1];
    bool met = false;
    while (collect(listener, probes, n, polled) > 0 &&
           poll(polled, (nfds_t)n + 1, left_of(until)) > 0) {
        if (polled[0].revents)
            hear(listener, probes, n, until);
        else
            take_off(probes, n, polled);
        if (met || !has_met(probes, n))
            continue;
        met = true;
        until = clock_ms() + OTHERS_MS;
    }
}

static void defer(int listener, int seconds)
{
    (void)setsockopt(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds);
}

/* Who has nothing to say is not accepted (tcp(7)): a stranger would be waited for. */
void probe_all(int listener, struct probe *probes, size_t n)
{
    int64_t until = clock_ms() + FIRST_MS;
    int flags = fcntl(listener, F_GETFL), deferred = 0;
    socklen_t len = sizeof deferred;
    for (size_t i = 0; i < n; i++)
        probes[i].state = PROBE_OVER;
    if (flags < 0 || fcntl(listener, F_SETFL, flags | O_NONBLOCK) < 0 ||
        getsockopt(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &deferred, &len) < 0)
        return;
    defer(listener, 1);
    for (size_t i = 0; i < n; i++)
        speak(&probes[i], until);
    await_all(listener, probes, n, until);
    defer(listener, deferred); /* as its owner left it */
    (void)fcntl(listener, F_SETFL, flags);
}
