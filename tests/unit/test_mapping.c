#include "tests/unit/tap.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/loop.h"
#include "lib/net/address.h"
#include "rootlesskit/gateway/mapping.h"
#include "rootlesskit/gateway/stock.h"

/* Enough for a table of 4 mappings and 7 pairs. */
#define FDS 9
#define MAPPINGS 4
#define PAIRS 7

static struct loop loop;
static struct stock stock;
static struct stats stats;
static struct mappings all;

static struct in6_addr ip(uint32_t v4)
{
    struct in_addr address = {.s_addr = htonl(v4)};
    return address_map(address);
}

static const uint32_t remote_v4 = 0x7f000002; /* 127.0.0.2: a foreign address that may be borne */

static void nothing(struct loop_source *source, uint32_t events)
{
    (void)source;
    (void)events;
}

/* Sockets enough, and nobody who makes more. */
static void fill(void)
{
    const int on = 1;
    struct stock_shelf *shelf = &stock.shelves[0];
    while (shelf->n < STOCK_MAX) {
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
        shelf->fds[shelf->n++] = fd;
    }
}

static void set_up(void)
{
    ck_assert_int_eq(loop_init(&loop, NULL), 0);
    (void)pthread_mutex_init(&stock.lock, NULL);
    (void)pthread_cond_init(&stock.wanted, NULL);
    (void)pthread_cond_init(&stock.made, NULL);
    stock.size = STOCK_MAX;
    fill();
    all = (struct mappings){.stats = &stats, .on_host = nothing, .on_child = nothing};
    ck_assert_int_eq(mappings_init(&all, &loop, &stock, FDS, NULL), 0);
    ck_assert_uint_eq(all.mappings.max, MAPPINGS);
    ck_assert_uint_eq(all.pairs.max, PAIRS);
}

static struct mapping *make(uint16_t port, int64_t now_ms)
{
    struct in6_addr child = ip(INADDR_LOOPBACK);
    struct mapping *mapping;
    ck_assert_int_eq(mapping_make(&all, &child, port, now_ms, &mapping), 0);
    return mapping;
}

static struct mapping *find(uint16_t port)
{
    struct in6_addr child = ip(INADDR_LOOPBACK);
    return mapping_find(&all, &child, port);
}

static struct pair *add(struct mapping *mapping, uint16_t port, int64_t now_ms)
{
    struct in6_addr remote = ip(remote_v4);
    struct pair *pair;
    ck_assert_int_eq(pair_make(&all, mapping, &remote, port, &remote, now_ms, &pair), 0);
    return pair;
}

static struct pair *find_pair(const struct mapping *mapping, uint16_t port)
{
    struct in6_addr remote = ip(remote_v4);
    return pair_find(&all, mapping, &remote, port);
}

START_TEST(what_was_made_is_found)
{
    struct mapping *a = make(1001, 0), *b = make(1002, 0);
    struct pair *pair = add(a, 53, 0);
    ck_assert_ptr_eq(find(1001), a);
    ck_assert_ptr_eq(find(1002), b);
    ck_assert_ptr_null(find(1003));
    ck_assert_ptr_eq(find_pair(a, 53), pair);
    ck_assert_ptr_null(find_pair(b, 53));
    ck_assert_ptr_null(find_pair(a, 54));
    mapping_release(&all, a);
    ck_assert_ptr_null(find(1001));
    ck_assert_ptr_null(all.unanswered.oldest);
    ck_assert_uint_eq(stats.counters.mappings, 1);
    ck_assert_uint_eq(stats.counters.closed[STATS_UDP][STATS_OUTBOUND], 1);
    ck_assert_ptr_eq(find(1002), b);
}
END_TEST

START_TEST(a_pair_bears_the_remotes_address)
{
    struct pair *pair = add(make(1001, 0), 5353, 0);
    struct sockaddr_in local, peer;
    socklen_t len = sizeof local;
    ck_assert_int_eq(getsockname(pair->fd, (struct sockaddr *)&local, &len), 0);
    ck_assert_uint_eq(ntohl(local.sin_addr.s_addr), remote_v4);
    ck_assert_uint_eq(ntohs(local.sin_port), 5353);
    ck_assert_int_eq(getpeername(pair->fd, (struct sockaddr *)&peer, &len), 0);
    ck_assert_uint_eq(ntohl(peer.sin_addr.s_addr), INADDR_LOOPBACK);
    ck_assert_uint_eq(ntohs(peer.sin_port), 1001);
}
END_TEST

START_TEST(the_mapping_used_longest_ago_makes_room)
{
    for (uint16_t i = 0; i < MAPPINGS; i++)
        make((uint16_t)(1001 + i), i);
    pair_use(&all, add(find(1001), 53, 10), false, 10);
    make(2000, 11);
    ck_assert_ptr_nonnull(find(1001));
    ck_assert_ptr_null(find(1002));
    ck_assert_ptr_nonnull(find(1003));
    ck_assert_ptr_nonnull(find(2000));
}
END_TEST

START_TEST(the_pair_used_longest_ago_makes_room)
{
    struct mapping *mapping = make(1001, 0);
    for (uint16_t i = 0; i < PAIRS; i++)
        pair_use(&all, add(mapping, (uint16_t)(6001 + i), i), i % 2, i);
    add(mapping, 7000, 20);
    add(mapping, 7001, 21);
    ck_assert_ptr_null(find_pair(mapping, 6001));
    ck_assert_ptr_null(find_pair(mapping, 6002));
    for (uint16_t i = 2; i < PAIRS; i++)
        ck_assert_ptr_nonnull(find_pair(mapping, (uint16_t)(6001 + i)));
    ck_assert_ptr_nonnull(find_pair(mapping, 7000));
}
END_TEST

/* As the child does, from the port of a mapping: to the socket that bears the remote's address. */
static void say(uint16_t from, uint16_t to)
{
    struct sockaddr_in local = {
        .sin_family = AF_INET, .sin_port = htons(from), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in remote = local;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    remote.sin_addr.s_addr = htonl(remote_v4);
    remote.sin_port = htons(to);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&local, sizeof local), 0);
    ck_assert_int_eq(sendto(fd, "", 0, 0, (const struct sockaddr *)&remote, sizeof remote), 0);
    close(fd);
}

/* A port that was idle has a new user, whose first datagram nobody has read yet. */
START_TEST(who_has_something_to_read_does_not_make_room)
{
    for (uint16_t i = 0; i < MAPPINGS; i++)
        pair_use(&all, add(make((uint16_t)(1001 + i), i), 6001, i), true, i);
    say(1001, 6001);
    make(2000, 10);
    ck_assert_ptr_nonnull(find(1001));
    ck_assert_ptr_null(find(1002));
    for (uint16_t i = 0; all.pairs.ever < PAIRS || all.pairs.free; i++)
        add(find(2000), (uint16_t)(7001 + i), 11);
    say(1003, 6001);
    add(find(2000), 8000, 12);
    ck_assert_ptr_nonnull(find_pair(find(1003), 6001));
    ck_assert_ptr_null(find_pair(find(1004), 6001));
}
END_TEST

START_TEST(who_has_something_to_read_does_not_expire)
{
    struct mapping *mapping = make(1001, 0);
    pair_use(&all, add(mapping, 6001, 0), false, 0);
    pair_use(&all, add(mapping, 6002, 0), false, 0);
    say(1001, 6001);
    ck_assert(mappings_expire(&all, MAPPING_IDLE_MS));
    ck_assert_ptr_nonnull(find_pair(mapping, 6001));
    ck_assert_ptr_null(find_pair(mapping, 6002));
    ck_assert(burst_is_waiting(find_pair(mapping, 6001)->fd));
}
END_TEST

START_TEST(what_is_idle_ends)
{
    struct mapping *mapping = make(1001, 0);
    pair_use(&all, add(mapping, 6001, 0), false, 0);
    pair_use(&all, add(mapping, 6002, 0), true, 0);
    ck_assert(mappings_expire(&all, PAIR_UNANSWERED_MS - 1));
    ck_assert_ptr_nonnull(find_pair(mapping, 6001));
    ck_assert(mappings_expire(&all, PAIR_UNANSWERED_MS));
    ck_assert_ptr_null(find_pair(mapping, 6001));
    ck_assert_ptr_nonnull(find_pair(mapping, 6002));
    pair_use(&all, find_pair(mapping, 6002), false, 1000);
    ck_assert(mappings_expire(&all, PAIR_IDLE_MS));
    ck_assert_ptr_nonnull(find_pair(mapping, 6002));
    ck_assert(!mappings_expire(&all, MAPPING_IDLE_MS + 1000));
    ck_assert_ptr_null(find(1001));
}
END_TEST

/* RFC 4787, 4.3: the port outlives a remote that says nothing. */
START_TEST(the_port_outlives_its_pairs)
{
    struct mapping *mapping = make(1001, 0);
    pair_use(&all, add(mapping, 6001, 0), false, 0);
    ck_assert(mappings_expire(&all, 120000));
    ck_assert_ptr_null(mapping->pairs);
    ck_assert_ptr_eq(find(1001), mapping);
}
END_TEST

START_TEST(without_sockets_there_is_no_pair)
{
    struct mapping *mapping = make(1001, 0);
    struct in6_addr remote = ip(remote_v4);
    struct pair *pair;
    while (stock.shelves[0].n > 0)
        close(stock.shelves[0].fds[--stock.shelves[0].n]);
    ck_assert_int_eq(pair_make(&all, mapping, &remote, 53, &remote, 0, &pair), -ENOBUFS);
    fill();
    add(mapping, 53, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mapping");
    TCase *cases = tcase_create("mapping");
    tcase_add_checked_fixture(cases, set_up, NULL);
    tcase_add_test(cases, what_was_made_is_found);
    tcase_add_test(cases, a_pair_bears_the_remotes_address);
    tcase_add_test(cases, the_mapping_used_longest_ago_makes_room);
    tcase_add_test(cases, the_pair_used_longest_ago_makes_room);
    tcase_add_test(cases, who_has_something_to_read_does_not_make_room);
    tcase_add_test(cases, who_has_something_to_read_does_not_expire);
    tcase_add_test(cases, what_is_idle_ends);
    tcase_add_test(cases, the_port_outlives_its_pairs);
    tcase_add_test(cases, without_sockets_there_is_no_pair);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
