#include "rootlesskit/gateway/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/net/address.h"
#include "rootlesskit/gateway/relay.h"
#include "rootlesskit/gateway/worker.h"

#define BATCH 128

struct stats_sink {
    int fd;
    int code; /* 0 or -errno: the rest is not written */
    size_t n;
    struct stats_record records[BATCH];
};

uint32_t stats_now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint32_t)now.tv_sec;
}

static enum stats_reason reason_of(int code)
{
    switch (code) {
    case ECONNREFUSED:
    case ECONNRESET:
        return STATS_REFUSED;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
        return STATS_UNREACHABLE;
    case ETIMEDOUT:
        return STATS_TIMEOUT;
    case EACCES:
    case EPERM:
        return STATS_PROHIBITED;
    case EAGAIN:
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case ENOSPC:
    case EADDRNOTAVAIL: /* no port is left */
        return STATS_SHORTAGE;
    default:
        return STATS_OTHER;
    }
}

void stats_failed(struct stats *stats, enum stats_direction direction, int code)
{
    uint64_t *counter = &stats->counters.failed[direction][reason_of(code)];
    __atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED); /* for stats_refused() */
}

uint64_t stats_refused(const struct stats *stats, enum stats_direction direction)
{
    return __atomic_load_n(&stats->counters.failed[direction][STATS_REFUSED], __ATOMIC_RELAXED);
}

void stats_dropped(struct stats *stats, enum stats_direction direction, int code, uint64_t n)
{
    stats->counters.dropped[direction][reason_of(code)] += n;
}

void stats_join(struct stats *stats, struct stats_source *source)
{
    source->next = stats->sources;
    stats->sources = source;
}

static int write_all(int fd, const void *data, size_t len)
{
    const char *rest = data;
    while (len > 0) {
        ssize_t n = write(fd, rest, len);
        if (n < 0)
            return -errno;
        rest += n;
        len -= (size_t)n;
    }
    return 0;
}

static void flush(struct stats_sink *sink)
{
    if (sink->code == 0)
        sink->code = write_all(sink->fd, sink->records, sink->n * sizeof sink->records[0]);
    sink->n = 0;
}

void stats_put(struct stats_sink *sink, const struct stats_record *record)
{
    sink->records[sink->n++] = *record;
    if (sink->n == BATCH)
        flush(sink);
}

void stats_address_of(int fd, int peer, struct in6_addr *ret, uint16_t *ret_port)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    int r = peer ? getpeername(fd, (struct sockaddr *)&address, &len)
                 : getsockname(fd, (struct sockaddr *)&address, &len);
    if (r == 0)
        *ret_port = address_of_socket(&address, ret);
}

static enum stats_state state_of(const struct relay *relay)
{
    if (relay->connecting)
        return STATS_CONNECTING;
    return relay->way[0].ended || relay->way[1].ended ? STATS_ENDING : STATS_OPEN;
}

/* The kernel keeps the addresses; a copy of them in every relay would cost more than asking. */
static void put_relay(struct stats_sink *sink, const struct relay *relay, uint32_t now_s)
{
    bool published = relay->owner != 0;
    struct stats_record record = {
        .proto = STATS_TCP,
        .direction = published ? STATS_PUBLISHED : STATS_OUTBOUND,
        .state = (uint8_t)state_of(relay),
        .port_id = relay->owner,
        .bytes = {relay->way[published].bytes, relay->way[!published].bytes},
        .age_s = now_s - relay->opened_s,
        .idle_s = now_s - relay->used_s,
    };
    if (published) {
        stats_address_of(relay->end[0].fd, true, &record.remote, &record.remote_port);
        stats_address_of(relay->end[1].fd, true, &record.child, &record.child_port);
    } else {
        stats_address_of(relay->end[0].fd, true, &record.child, &record.child_port);
        stats_address_of(relay->end[0].fd, false, &record.remote, &record.remote_port);
        stats_address_of(relay->end[1].fd, true, &record.dialled, &record.dialled_port);
    }
    if (record.dialled_port == record.remote_port &&
        address_equal(&record.dialled, &record.remote)) {
        record.dialled = (struct in6_addr){0};
        record.dialled_port = 0;
    }
    stats_put(sink, &record);
}

static void put_flows(struct worker *worker, void *arg)
{
    struct stats_sink *sink = arg;
    const struct relay *relay = NULL;
    uint32_t now_s = stats_now_s();
    while ((relay = table_next(&worker->relays, relay)))
        put_relay(sink, relay, now_s);
    for (struct stats_source *source = worker->stats.sources; source; source = source->next)
        source->put(source, sink);
    flush(sink);
}

/* Numbers summed as they stand: of a flow that moved between two workers meanwhile, too. */
static void add_counters(struct worker *worker, void *arg)
{
    struct stats_counters *sum = arg;
    uint64_t all[sizeof *sum / sizeof(uint64_t)], more[sizeof *sum / sizeof(uint64_t)];
    _Static_assert(sizeof all == sizeof *sum, "counters and nothing else");
    memcpy(all, sum, sizeof all);
    memcpy(more, &worker->stats.counters, sizeof more);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        all[i] += more[i];
    memcpy(sum, all, sizeof all);
}

static int ask_all(struct worker *const *workers, size_t n, worker_fn *fn, void *arg)
{
    fn(workers[0], arg);
    int r = 0;
    for (size_t i = 1; i < n && r >= 0; i++)
        r = worker_ask(workers[i], fn, arg);
    return r;
}

bool stats_is_memory(int fd)
{
    return fcntl(fd, F_GET_SEALS) >= 0;
}

int stats_write_flows(struct worker *const *workers, size_t n, int fd)
{
    struct stats_sink sink = {.fd = fd};
    if (!stats_is_memory(fd))
        return -EINVAL;
    int r = ask_all(workers, n, put_flows, &sink);
    return r < 0 ? r : sink.code;
}

int stats_write_totals(struct worker *const *workers, size_t n, struct stats_totals *totals, int fd)
{
    if (!stats_is_memory(fd))
        return -EINVAL;
    int r = ask_all(workers, n, add_counters, &totals->counters);
    return r < 0 ? r : write_all(fd, totals, sizeof *totals);
}
