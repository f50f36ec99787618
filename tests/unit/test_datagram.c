#include "tests/unit/tap.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "rootlesskit/gateway/datagram.h"

#define CLIENTS 3

static struct worker worker;
static struct datagrams all;
static struct datagram_port port;
static int clients[CLIENTS];
static int service; /* the child's program */

static int open_socket(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&any, sizeof any), 0);
    return fd;
}

static struct sockaddr_storage name_of(int fd)
{
    struct sockaddr_storage name = {0};
    socklen_t len = sizeof name;
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&name, &len), 0);
    return name;
}

static void set_up(void)
{
    ck_assert_int_eq(worker_init(&worker, NULL), 0);
    ck_assert_int_eq(datagrams_init(&all, &worker, GATEWAY_SOURCE_IP_NONE, NULL), 0);
    service = open_socket();
    struct sockaddr_storage target = name_of(service);
    int fd = open_socket();
    struct sockaddr_storage published = name_of(fd);
    ck_assert_int_eq(datagram_open(&all, &port, 1, fd, &target), 0);
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = open_socket();
        ck_assert_int_eq(
            connect(clients[i], (const struct sockaddr *)&published, sizeof(struct sockaddr_in)),
            0);
    }
}

/* Client i's datagram reaches the service. @return from which address */
static struct sockaddr_in ask(unsigned i)
{
    struct sockaddr_in from = {0};
    socklen_t len = sizeof from;
    struct pollfd pollfd = {.fd = service, .events = POLLIN};
    char byte;
    ck_assert_int_eq(send(clients[i], "?", 1, 0), 1);
    port.source.fn(&port.source, EPOLLIN);
    ck_assert_int_eq(poll(&pollfd, 1, 5000), 1);
    ck_assert_int_eq(recvfrom(service, &byte, 1, 0, (struct sockaddr *)&from, &len), 1);
    return from;
}

static void answer(const struct sockaddr_in *to)
{
    ck_assert_int_eq(sendto(service, "!", 1, 0, (const struct sockaddr *)to, sizeof *to), 1);
}

static bool is_answered(unsigned i)
{
    char byte;
    while (loop_once(&worker.loop, 0) > 0)
        ;
    return recv(clients[i], &byte, 1, MSG_DONTWAIT) == 1;
}

/* No fd is to be had any more until one is closed. @return the limit as it was */
static struct rlimit use_up_fds(void)
{
    struct rlimit before, limit;
    int next = dup(0);
    ck_assert_int_ge(next, 0);
    ck_assert_int_eq(close(next), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    limit.rlim_cur = (rlim_t)next;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return before;
}

static uint64_t n_closed(void)
{
    return worker.stats.counters.closed[STATS_UDP][STATS_PUBLISHED];
}

START_TEST(answers_find_who_asked)
{
    struct sockaddr_in one = ask(0), other = ask(1);
    answer(&other);
    ck_assert(!is_answered(0));
    ck_assert(is_answered(1));
    answer(&one);
    ck_assert(is_answered(0));
}
END_TEST

START_TEST(an_answer_that_nobody_has_read_yet_is_not_lost_for_room)
{
    struct sockaddr_in one = ask(0);
    struct sockaddr_in other = ask(1);
    const struct rlimit limit = use_up_fds();
    answer(&one);
    struct sockaddr_in newest = ask(2);
    ck_assert_uint_eq(n_closed(), 1);
    ck_assert(is_answered(0));
    answer(&newest);
    ck_assert(is_answered(2));
    answer(&other);
    ck_assert(!is_answered(1));
    /* Sanitizers look for leaks at the end. */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}
END_TEST

START_TEST(nor_because_its_time_is_up)
{
    struct sockaddr_in one = ask(0);
    (void)ask(1);
    answer(&one);
    all.timer.fn(&all.timer, clock_ms() + DATAGRAM_IDLE_MS);
    ck_assert_uint_eq(n_closed(), 1);
    ck_assert(is_answered(0));
    all.timer.fn(&all.timer, clock_ms() + DATAGRAM_IDLE_MS);
    ck_assert_uint_eq(n_closed(), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("datagram");
    TCase *cases = tcase_create("datagram");
    tcase_add_checked_fixture(cases, set_up, NULL);
    tcase_add_test(cases, answers_find_who_asked);
    tcase_add_test(cases, an_answer_that_nobody_has_read_yet_is_not_lost_for_room);
    tcase_add_test(cases, nor_because_its_time_is_up);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
