#include "rootlesskit/gateway/mapping.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/net/address.h"
#include "rootlesskit/gateway/dial.h"
#include "rootlesskit/gateway/errqueue.h"
#include "rootlesskit/gateway/hash.h"
#include "rootlesskit/gateway/stock.h"
#include "rootlesskit/gateway/table.h"
#include "rootlesskit/gateway/worker.h"

#define MAPPING_BUCKETS 8192
#define PAIR_BUCKETS 16384

static struct mapping **mapping_bucket(const struct mappings *all, const struct in6_addr *child,
                                       uint16_t port)
{
    return &all->mapping_buckets[hash_address(all->seed, child, port) % MAPPING_BUCKETS];
}

static struct pair **pair_bucket(const struct mappings *all, const struct mapping *mapping,
                                 const struct in6_addr *remote, uint16_t port)
{
    uint32_t h = hash_mix(all->seed, table_index(mapping));
    return &all->pair_buckets[hash_address(h, remote, port) % PAIR_BUCKETS];
}

static uint32_t at_most(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

int mappings_init(struct mappings *all, struct loop *loop, struct stock *stock, uint32_t fds,
                  struct err *err)
{
    all->loop = loop;
    all->stock = stock;
    int r =
        table_init(&all->mappings, sizeof(struct mapping), at_most(MAPPINGS_MAX, fds / 3 + 1), err);
    if (r == 0)
        r = table_init(&all->pairs, sizeof(struct pair), at_most(PAIRS_MAX, fds - fds / 3 + 1),
                       err);
    if (r < 0)
        return r;
    all->mapping_buckets = table_reserve(MAPPING_BUCKETS * sizeof(struct mapping *));
    all->pair_buckets = table_reserve(PAIR_BUCKETS * sizeof(struct pair *));
    if (!all->mapping_buckets || !all->pair_buckets)
        return err_set(err, ENOMEM, "no memory for datagrams");
    all->seed = hash_seed();
    return 0;
}

static bool out_of_fds(int r)
{
    return r == -EMFILE || r == -ENFILE || r == -ENOBUFS || r == -ENOMEM;
}

static bool pair_is_busy(struct recent_link *link)
{
    return burst_is_waiting(recent_owner(link, struct pair, recent)->fd);
}

/* --- mappings */

struct mapping *mapping_find(const struct mappings *all, const struct in6_addr *child,
                             uint16_t port)
{
    struct mapping *mapping = *mapping_bucket(all, child, port);
    while (mapping && (mapping->port != port || !address_equal(&mapping->child, child)))
        mapping = mapping->next;
    return mapping;
}

void mapping_keep_whole(struct mapping *mapping, bool whole)
{
    if (mapping->whole != whole)
        dial_keep_whole(mapping->fd, address_family(&mapping->child), whole);
    mapping->whole = whole;
}

static int open_host(int family)
{
    const int on = 1;
    struct sockaddr_storage any = {.ss_family = (sa_family_t)family};
    cleanup_close int fd = dial_socket(family, SOCK_DGRAM, false);
    if (fd < 0)
        return fd;
    if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0)
        return -errno;
    int r = errqueue_enable(fd, family);
    if (r == 0 && bind(fd, (const struct sockaddr *)&any, dial_length(&any)) < 0)
        r = -errno;
    if (r < 0)
        return r;
    dial_keep_whole(fd, family, true);
    burst_prepare(fd, family);
    return take_fd(&fd);
}

/* What waits on a socket would be lost with it: a port of the child's that was idle may have a new
 * user. */
static bool mapping_is_busy(struct recent_link *link)
{
    const struct mapping *mapping = recent_owner(link, struct mapping, recent);
    bool busy = burst_is_waiting(mapping->fd);
    for (const struct pair *pair = mapping->pairs; pair && !busy; pair = pair->sibling)
        busy = burst_is_waiting(pair->fd);
    return busy;
}

/* Ends the one used longest ago, if there is one. */
static bool make_room(struct mappings *all, int64_t now_ms)
{
    struct recent_link *oldest = recent_spare(&all->by_use, mapping_is_busy, now_ms);
    if (oldest)
        mapping_release(all, recent_owner(oldest, struct mapping, recent));
    return oldest != NULL;
}

int mapping_make(struct mappings *all, const struct in6_addr *child, uint16_t port, int64_t now_ms,
                 struct mapping **ret)
{
    int fd = open_host(address_family(child));
    if (out_of_fds(fd) && make_room(all, now_ms))
        fd = open_host(address_family(child));
    if (fd < 0)
        return fd;
    struct mapping *mapping = table_take(&all->mappings);
    if (!mapping && make_room(all, now_ms))
        mapping = table_take(&all->mappings);
    int r = mapping ? loop_add(all->loop, &mapping->source, fd, EPOLLIN, all->on_host) : -ENOBUFS;
    if (r < 0) {
        fd_close(fd);
        table_give(mapping);
        return r;
    }
    struct mapping **bucket = mapping_bucket(all, child, port);
    mapping->all = all;
    mapping->child = *child;
    mapping->port = port;
    mapping->fd = fd;
    mapping->whole = true;
    mapping->opened_s = stats_now_s();
    all->stats->counters.mappings++;
    mapping->next = *bucket;
    *bucket = mapping;
    recent_add(&all->by_use, &mapping->recent, now_ms);
    *ret = mapping;
    return 0;
}

/* It is free at once, and so is a pair: an event that the running batch may still have for it finds
 * no callback, or that of the next, whose socket then has nothing to read. */
void mapping_release(struct mappings *all, struct mapping *mapping)
{
    while (mapping->pairs)
        pair_release(all, mapping->pairs);
    struct mapping **place = mapping_bucket(all, &mapping->child, mapping->port);
    while (*place != mapping)
        place = &(*place)->next;
    *place = mapping->next;
    recent_remove(&all->by_use, &mapping->recent);
    loop_del(all->loop, &mapping->source);
    mapping->fd = fd_close(mapping->fd);
    all->stats->counters.mappings--;
    table_give(mapping);
}

/* --- pairs */

static struct recent *list_of(struct mappings *all, const struct pair *pair)
{
    return pair->answered ? &all->answered : &all->unanswered;
}

static struct pair *least_used(struct mappings *all, int64_t now_ms)
{
    struct recent_link *a = recent_spare(&all->unanswered, pair_is_busy, now_ms);
    struct recent_link *b = recent_spare(&all->answered, pair_is_busy, now_ms);
    struct recent_link *oldest = a && b ? (a->used_ms <= b->used_ms ? a : b) : (a ? a : b);
    return oldest ? recent_owner(oldest, struct pair, recent) : NULL;
}

struct pair *pair_find(const struct mappings *all, const struct mapping *mapping,
                       const struct in6_addr *remote, uint16_t port)
{
    struct pair *pair = *pair_bucket(all, mapping, remote, port);
    while (pair && (pair->mapping != mapping || pair->port != port ||
                    !address_equal(&pair->remote, remote)))
        pair = pair->next;
    return pair;
}

/* Bound first: connected without an address of its own, it would get one by routing. */
static int open_child(struct mappings *all, const struct mapping *mapping,
                      const struct in6_addr *remote, uint16_t port)
{
    struct sockaddr_storage local = address_to_socket(remote, port);
    struct sockaddr_storage peer = address_to_socket(&mapping->child, mapping->port);
    cleanup_close int fd = stock_take(all->stock, address_family(remote));
    if (fd < 0)
        return fd;
    if (bind(fd, (const struct sockaddr *)&local, dial_length(&local)) < 0)
        return -errno;
    int r = dial_connect(fd, &peer);
    return r < 0 ? r : take_fd(&fd);
}

/* Ends the one used longest ago, if there is one. */
static bool make_room_for_pair(struct mappings *all, int64_t now_ms)
{
    struct pair *least = least_used(all, now_ms);
    if (least)
        pair_release(all, least);
    return least != NULL;
}

static union burst_address burst_address_of(const struct in6_addr *address, uint16_t port)
{
    struct sockaddr_storage socket = address_to_socket(address, port);
    union burst_address ret;
    memcpy(&ret, &socket, sizeof ret);
    return ret;
}

static void add_pair(struct mappings *all, struct mapping *mapping, struct pair *pair,
                     int64_t now_ms)
{
    struct pair **bucket = pair_bucket(all, mapping, &pair->remote, pair->port);
    pair->mapping = mapping;
    pair->sibling = mapping->pairs;
    pair->sibling_place = &mapping->pairs;
    if (pair->sibling)
        pair->sibling->sibling_place = &pair->sibling;
    mapping->pairs = pair;
    pair->next = *bucket;
    *bucket = pair;
    recent_add(&all->unanswered, &pair->recent, now_ms);
}

int pair_make(struct mappings *all, struct mapping *mapping, const struct in6_addr *remote,
              uint16_t port, const struct in6_addr *host, int64_t now_ms, struct pair **ret)
{
    int fd = open_child(all, mapping, remote, port);
    if (out_of_fds(fd) && make_room_for_pair(all, now_ms))
        fd = open_child(all, mapping, remote, port);
    if (fd < 0)
        return fd;
    struct pair *pair = table_take(&all->pairs);
    if (!pair && make_room_for_pair(all, now_ms))
        pair = table_take(&all->pairs);
    int r = pair ? loop_add(all->loop, &pair->source, fd, EPOLLIN, all->on_child) : -ENOBUFS;
    if (r < 0) {
        fd_close(fd);
        table_give(pair);
        return r;
    }
    pair->remote = *remote;
    pair->port = port;
    pair->fd = fd;
    pair->host = burst_address_of(host, port);
    pair->opened_s = stats_now_s();
    all->stats->counters.opened[STATS_UDP][STATS_OUTBOUND]++;
    add_pair(all, mapping, pair, now_ms);
    *ret = pair;
    return 0;
}

void pair_use(struct mappings *all, struct pair *pair, bool answer, int64_t now_ms)
{
    recent_remove(list_of(all, pair), &pair->recent);
    pair->answered |= answer;
    recent_add(list_of(all, pair), &pair->recent, now_ms);
    recent_touch(&all->by_use, &pair->mapping->recent, now_ms);
}

void pair_release(struct mappings *all, struct pair *pair)
{
    struct pair **place = pair_bucket(all, pair->mapping, &pair->remote, pair->port);
    while (*place != pair)
        place = &(*place)->next;
    *place = pair->next;
    *pair->sibling_place = pair->sibling;
    if (pair->sibling)
        pair->sibling->sibling_place = pair->sibling_place;
    recent_remove(list_of(all, pair), &pair->recent);
    loop_del(all->loop, &pair->source);
    pair->fd = fd_close(pair->fd);
    all->stats->counters.closed[STATS_UDP][STATS_OUTBOUND]++;
    table_give(pair);
}

/* --- what there is */

static uint32_t idle_s(const struct recent_link *link, int64_t now_ms)
{
    return (uint32_t)((now_ms - link->used_ms) / 1000);
}

static void put_pairs(const struct mapping *mapping, struct stats_record record,
                      struct stats_sink *sink, int64_t now_ms)
{
    record.state = STATS_OPEN;
    for (const struct pair *pair = mapping->pairs; pair; pair = pair->sibling) {
        struct sockaddr_storage host = {0};
        memcpy(&host, &pair->host, sizeof pair->host);
        record.remote = pair->remote;
        record.remote_port = pair->port;
        record.dialled_port = address_of_socket(&host, &record.dialled);
        if (address_equal(&record.dialled, &record.remote)) {
            record.dialled = (struct in6_addr){0};
            record.dialled_port = 0;
        }
        memcpy(record.bytes, pair->bytes, sizeof record.bytes);
        record.age_s = stats_now_s() - pair->opened_s;
        record.idle_s = idle_s(&pair->recent, now_ms);
        stats_put(sink, &record);
    }
}

void mappings_put(const struct mappings *all, struct stats_sink *sink)
{
    int64_t now_ms = clock_ms();
    for (struct recent_link *link = all->by_use.oldest; link; link = link->newer) {
        const struct mapping *mapping = recent_owner(link, struct mapping, recent);
        const struct stats_record record = {
            .proto = STATS_UDP,
            .direction = STATS_OUTBOUND,
            .state = STATS_MAPPED,
            .child = mapping->child,
            .child_port = mapping->port,
            .age_s = stats_now_s() - mapping->opened_s,
            .idle_s = idle_s(link, now_ms),
        };
        stats_put(sink, &record);
        put_pairs(mapping, record, sink, now_ms);
    }
}

static void expire_pairs(struct mappings *all, struct recent *list, int64_t idle_ms, int64_t now_ms)
{
    struct recent_link *link;
    while ((link = recent_idle(list, idle_ms, pair_is_busy, now_ms)))
        pair_release(all, recent_owner(link, struct pair, recent));
}

bool mappings_expire(struct mappings *all, int64_t now_ms)
{
    struct recent_link *link;
    expire_pairs(all, &all->unanswered, PAIR_UNANSWERED_MS, now_ms);
    expire_pairs(all, &all->answered, PAIR_IDLE_MS, now_ms);
    while ((link = recent_idle(&all->by_use, MAPPING_IDLE_MS, mapping_is_busy, now_ms)))
        mapping_release(all, recent_owner(link, struct mapping, recent));
    return all->by_use.oldest != NULL;
}
