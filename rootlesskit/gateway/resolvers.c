#include "rootlesskit/gateway/resolvers.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/msg.h"

#define DNS_PORT 53

static void use(struct resolvers *resolvers, const struct gateway_resolvers *list)
{
    if (memcmp(&resolvers->list, list, sizeof *list) == 0)
        return;
    resolvers->list = *list;
    resolvers->changed_fn(resolvers);
}

static void use_this_host(struct resolvers *resolvers, uint32_t timeout_s)
{
    struct gateway_resolvers loopback = {.n = 1, .timeout_s = timeout_s};
    struct sockaddr_in v4 = {.sin_family = AF_INET,
                             .sin_port = htons(DNS_PORT),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    memcpy(&loopback.addresses[0], &v4, sizeof v4);
    use(resolvers, &loopback);
}

/* @param list  the parent's, of none */
static void take_empty(struct resolvers *resolvers, const struct gateway_resolvers *list)
{
    int64_t now = clock_ms();
    if (resolvers->empty_ms == 0)
        resolvers->empty_ms = now;
    resolvers->empty_counts |=
        resolvers->list.n == 0 || resolvers->empty_ms + RESOLVERS_EMPTY_MS <= now;
    if (resolvers->empty_counts)
        use_this_host(resolvers, list->timeout_s);
}

static void on_answer(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct resolvers *resolvers = loop_owner(source, struct resolvers, source);
    struct gateway_resolvers list;
    if (msg_recv(source->fd, &list, sizeof list, NULL, NULL) <= 0) {
        loop_del(&resolvers->worker->loop, source); /* the parent's end, and soon ours */
        return;
    }
    resolvers->asking = false;
    if (list.n > 0 && list.n <= GATEWAY_RESOLVERS_MAX) {
        resolvers->empty_ms = 0;
        resolvers->empty_counts = false;
        use(resolvers, &list);
    } else {
        take_empty(resolvers, &list);
    }
    resolvers->ready_fn(resolvers);
}

static void ask(struct resolvers *resolvers, int64_t now_ms)
{
    static const char question = GATEWAY_RESOLVERS_QUESTION;
    if (msg_send(resolvers->source.fd, &question, sizeof question, NULL, 0) < 0)
        return;
    resolvers->asked_ms = now_ms;
    resolvers->asking = true;
    worker_timer_start(resolvers->worker, &resolvers->timer);
}

static bool is_usable(const struct resolvers *resolvers, int64_t now_ms)
{
    return !resolvers->asking || resolvers->asked_ms + RESOLVERS_WAIT_MS <= now_ms;
}

bool resolvers_look(struct resolvers *resolvers)
{
    int64_t now = clock_ms();
    if (!resolvers->asking && resolvers->asked_ms + RESOLVERS_FRESH_MS <= now)
        ask(resolvers, now);
    return is_usable(resolvers, now);
}

/* An empty list comes to count without a query, for those under way to a server of before. */
static void on_tick(struct worker_timer *timer, int64_t now_ms)
{
    struct resolvers *resolvers = loop_owner(timer, struct resolvers, timer);
    bool empty = resolvers->empty_ms > 0 && !resolvers->empty_counts;
    if (empty)
        (void)resolvers_look(resolvers);
    if (resolvers->asking && is_usable(resolvers, now_ms))
        resolvers->ready_fn(resolvers);
    if (!resolvers->asking && !empty)
        worker_timer_stop(timer);
}

int resolvers_init(struct resolvers *resolvers, struct worker *worker, int fd,
                   resolvers_fn *changed_fn, resolvers_fn *ready_fn, struct err *err)
{
    *resolvers = (struct resolvers){
        .worker = worker,
        .timer.fn = on_tick,
        .changed_fn = changed_fn,
        .ready_fn = ready_fn,
        .asked_ms = clock_ms() - RESOLVERS_FRESH_MS,
    };
    int r = loop_add(&worker->loop, &resolvers->source, fd, EPOLLIN, on_answer);
    return r < 0 ? err_sys(err, -r, "cannot watch the socket for resolvers") : 0;
}
