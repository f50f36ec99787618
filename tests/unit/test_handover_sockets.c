#include "tests/unit/tap.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "rootlesskit/handover/diag.h"
#include "rootlesskit/handover/holders.h"
#include "rootlesskit/handover/probe.h"
#include "rootlesskit/port/bind.h"
#include "tests/unit/tcp.h"

static int open_diag(void)
{
    int fd = diag_open();
    ck_assert_int_ge(fd, 0);
    return fd;
}

static int listener_at(int diag, const struct sockaddr_storage *at, uint32_t *ret)
{
    int r = diag_listener(diag, at, ret);
    ck_assert_msg(r == 0 || r == -ENOENT, "%d", r);
    return r;
}

static const char *const addresses[] = {"127.0.0.1", "0.0.0.0",          "::1",
                                        "::",        "::ffff:127.0.0.1", "::ffff:0.0.0.0"};

START_TEST(a_listener_is_found_by_its_address)
{
    uint32_t inode = 7;
    cleanup_close int diag = open_diag();
    if (strchr(addresses[_i], ':') && !tcp_has_ipv6()) {
        printf("# not tried: no IPv6 here\n");
        return;
    }
    cleanup_close int fd = tcp_bound(addresses[_i], false);
    struct sockaddr_storage at = tcp_address(fd);
    ck_assert_int_eq(listener_at(diag, &at, &inode), -ENOENT);
    ck_assert_uint_eq(inode, 7);
    ck_assert_int_eq(listen(fd, 1), 0);
    ck_assert_int_eq(listener_at(diag, &at, &inode), 0);
    ck_assert_uint_eq(inode, tcp_inode(fd));
    fd = fd_close(fd);
    ck_assert_int_eq(listener_at(diag, &at, &inode), -ENOENT);
}
END_TEST

START_TEST(what_is_connected_is_no_listener)
{
    uint32_t inode;
    cleanup_close int diag = open_diag(), listener = tcp_listening("127.0.0.1");
    struct sockaddr_storage at = tcp_address(listener);
    cleanup_close int client = tcp_dial("127.0.0.1", tcp_port(listener));
    cleanup_close int served = tcp_accept(listener);
    ck_assert_int_ge(client, 0);
    ck_assert_uint_eq(tcp_port(served), tcp_port(listener));
    listener = fd_close(listener);
    ck_assert_int_eq(listener_at(diag, &at, &inode), -ENOENT);
    ck_assert_int_eq(diag_listener(-EBADF, &at, &inode), -EBADF);
}
END_TEST

static bool has(const uint32_t *inodes, ssize_t n, int fd)
{
    for (ssize_t i = 0; i < n; i++)
        if (inodes[i] == tcp_inode(fd))
            return true;
    return false;
}

START_TEST(a_port_s_sockets_are_found)
{
    static const char *const loopback[] = {"127.0.0.1", "::1"};
    static const char *const elsewhere[] = {"127.0.0.2", "::"};
    cleanup_free uint32_t *inodes = NULL, *listening = NULL, *none = NULL, *all = NULL;
    cleanup_close int diag = open_diag();
    if (_i == 1 && !tcp_has_ipv6()) {
        printf("# not tried: no IPv6 here\n");
        return;
    }
    cleanup_close int listener = tcp_listening(loopback[_i]), other = tcp_listening(loopback[_i]);
    uint16_t port = tcp_port(listener);
    cleanup_close int client = tcp_dial(loopback[_i], port), served = tcp_accept(listener);
    struct port_place place = {.address = tcp_at(loopback[_i], port)};
    ssize_t n = diag_sockets(diag, &place, true, &inodes);
    ck_assert_int_eq(n, 2);
    ck_assert(has(inodes, n, listener));
    ck_assert(has(inodes, n, served));
    ck_assert(!has(inodes, n, client));
    ck_assert(!has(inodes, n, other));
    ck_assert_int_eq(diag_sockets(diag, &place, false, &listening), 1);
    ck_assert(has(listening, 1, listener));
    ck_assert_int_lt(diag_sockets(-EBADF, &place, true, &none), 0);
    /* Another address has others, every address has all. */
    place.address = tcp_at(elsewhere[_i], port);
    ck_assert_int_eq(diag_sockets(diag, &place, true, &all), _i == 0 ? 0 : 2);
}
END_TEST

/* A listening socket, and a connection that it has accepted. */
struct service {
    int listener, served, client;
    uint16_t port;
};

static struct service serve(void)
{
    struct service service = {.listener = tcp_listening("127.0.0.1")};
    service.port = tcp_port(service.listener);
    service.client = tcp_dial("127.0.0.1", service.port);
    ck_assert_int_ge(service.client, 0);
    service.served = tcp_accept(service.listener);
    return service;
}

/* A process that has what we have now, and sleeps. */
static pid_t holder(void)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        for (;;)
            pause();
    return pid;
}

static void let_go(struct service *service)
{
    service->listener = fd_close(service->listener);
    service->served = fd_close(service->served);
}

static void kill_and_wait(pid_t pid)
{
    int status = 0;
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
}

/* @return what comes, 0 at the end, -errno; -EAGAIN: nothing */
static ssize_t heard(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);
    return n < 0 ? -errno : n;
}

START_TEST(a_holder_s_sockets_end_and_no_others)
{
    struct service ended = serve(), kept = serve();
    uint32_t inodes[] = {0, (uint32_t)tcp_inode(ended.listener), UINT32_MAX,
                         (uint32_t)tcp_inode(ended.served)};
    pid_t pid = holder();
    let_go(&ended);
    let_go(&kept);
    ck_assert_int_eq(heard(ended.client), -EAGAIN);
    holders_end(inodes, sizeof inodes / sizeof inodes[0]);
    ck_assert_int_eq(heard(ended.client), -ECONNRESET);
    ck_assert_int_eq(tcp_dial("127.0.0.1", ended.port), -ECONNREFUSED);
    ck_assert_int_eq(heard(kept.client), -EAGAIN);
    cleanup_close int client = tcp_dial("127.0.0.1", kept.port);
    ck_assert_int_ge(client, 0);
    ck_assert_int_eq(waitpid(pid, NULL, WNOHANG), 0);
    kill_and_wait(pid);
    fd_close(ended.client);
    fd_close(kept.client);
}
END_TEST

/* A number that the kernel chose is given back when the socket is disconnected; a service's stays.
 */
static int bound_by_number(void)
{
    cleanup_close int chosen = tcp_open(AF_INET), fd = tcp_open(AF_INET);
    struct sockaddr_storage at = tcp_at("127.0.0.1", 0);
    tcp_set(chosen, SOL_SOCKET, SO_REUSEADDR, 1);
    tcp_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    ck_assert_int_eq(bind(chosen, (const struct sockaddr *)&at, sizeof at), 0);
    at = tcp_address(chosen);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    return take_fd(&fd);
}

START_TEST(an_ended_listener_is_in_nobody_s_way)
{
    cleanup_close int listener = bound_by_number(), next = tcp_open(AF_INET);
    struct sockaddr_storage at = tcp_address(listener);
    uint32_t inode = (uint32_t)tcp_inode(listener);
    tcp_set(listener, SOL_SOCKET, SO_REUSEADDR, 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    pid_t pid = holder();
    listener = fd_close(listener);
    tcp_set(next, SOL_SOCKET, SO_REUSEADDR, 1);
    ck_assert_int_lt(bind(next, (const struct sockaddr *)&at, sizeof at), 0);
    holders_end(&inode, 1);
    ck_assert_int_eq(bind(next, (const struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(next, 1), 0);
    kill_and_wait(pid);
}
END_TEST

START_TEST(nothing_to_end_ends_nothing)
{
    struct service kept = serve();
    uint32_t none = 0;
    holders_end(&none, 0);
    holders_end(&none, 1);
    ck_assert_int_eq(heard(kept.client), -EAGAIN);
    let_go(&kept);
    fd_close(kept.client);
}
END_TEST

/* As the data plane dials: it may still connect. */
static int begin(uint16_t port)
{
    struct sockaddr_storage at = tcp_at("127.0.0.1", port);
    int fd = tcp_open(AF_INET);
    ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    if (connect(fd, (const struct sockaddr *)&at, sizeof at) < 0)
        ck_assert_int_eq(errno, EINPROGRESS);
    return fd;
}

static void expect_states(const struct probe *probes, const enum probe_state *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(probes[i].state == want[i], "probe %zu: %u", i, (unsigned)probes[i].state);
}

static void end_probes(const struct probe *probes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fd_close(probes[i].fd);
}

START_TEST(a_probe_meets_who_it_came_to)
{
    static const enum probe_state want[] = {PROBE_OPEN, PROBE_OVER, PROBE_MET, PROBE_OVER,
                                            PROBE_OVER, PROBE_MET,  PROBE_OVER};
    cleanup_close int listener = tcp_listening("127.0.0.1"), silent = tcp_listening("127.0.0.1"),
                      answering = tcp_listening("127.0.0.1"), ending = tcp_listening("127.0.0.1"),
                      closed = tcp_bound("127.0.0.1", false);
    int flag = _i ? O_NONBLOCK : 0;
    ck_assert_int_eq(fcntl(listener, F_SETFL, flag), 0);
    int flags = fcntl(listener, F_GETFL);
    struct probe probes[] = {
        {.fd = begin(tcp_port(silent))},
        {.fd = begin(tcp_port(answering))},
        {.fd = begin(tcp_port(listener))},
        {.fd = begin(tcp_port(closed))},
        {.fd = begin(tcp_port(ending))},
        {.fd = begin(tcp_port(listener))},
        {.fd = -EBADF},
    };
    const size_t n = sizeof probes / sizeof probes[0];
    cleanup_close int answers = tcp_accept(answering), ends = tcp_accept(ending);
    ck_assert_int_eq(send(answers, "?", 1, MSG_NOSIGNAL), 1);
    ends = fd_close(ends);
    probe_all(listener, probes, n);
    expect_states(probes, want, n);
    ck_assert_int_eq(fcntl(listener, F_GETFL), flags);
    end_probes(probes, n);
}
END_TEST

START_TEST(where_none_comes_none_has_met)
{
    static const enum probe_state want[] = {PROBE_OPEN, PROBE_OPEN};
    cleanup_close int listener = tcp_listening("127.0.0.1"), silent = tcp_listening("127.0.0.1");
    int flags = fcntl(listener, F_GETFL);
    struct probe probes[] = {{.fd = begin(tcp_port(silent))}, {.fd = begin(tcp_port(silent))}};
    probe_all(listener, probes, 2);
    expect_states(probes, want, 2);
    ck_assert_int_eq(fcntl(listener, F_GETFL), flags);
    probe_all(listener, probes, 0);
    probe_all(-EBADF, probes, 1);
    ck_assert_int_eq(probes[0].state, PROBE_OVER);
    end_probes(probes, 2);
}
END_TEST

/* Some that are none of us were there before: one silent, one with another word, one that ended. */
START_TEST(strangers_are_passed_over)
{
    char word[PROBE_WORD] = "none of ours...";
    cleanup_close int listener = tcp_listening("127.0.0.1");
    uint16_t port = tcp_port(listener);
    cleanup_close int silent = tcp_dial("127.0.0.1", port), other = tcp_dial("127.0.0.1", port),
                      ended = tcp_dial("127.0.0.1", port);
    ck_assert_int_eq(send(other, word, sizeof word, MSG_NOSIGNAL), sizeof word);
    ended = fd_close(ended);
    struct probe probe = {.fd = begin(port)};
    probe_all(listener, &probe, 1);
    ck_assert_int_eq(probe.state, PROBE_MET);
    ck_assert_int_ne(heard(silent), -EAGAIN);
    ck_assert_int_ne(heard(other), -EAGAIN);
    ck_assert(!tcp_awaits(listener, POLLIN, 0));
    fd_close(probe.fd);
}
END_TEST

/* What a proxy of a container engine does. */
static void relay(int front, uint16_t port)
{
    for (;;) {
        char buffer[64];
        cleanup_close int client = accept4(front, NULL, NULL, SOCK_CLOEXEC);
        cleanup_close int server = tcp_dial("127.0.0.1", port);
        ssize_t n = recv(client, buffer, sizeof buffer, 0);
        if (n <= 0 || send(server, buffer, (size_t)n, MSG_NOSIGNAL) != n)
            _exit(EXIT_FAILURE);
        (void)recv(server, buffer, sizeof buffer, 0);
    }
}

START_TEST(a_relay_in_between_leads_on)
{
    cleanup_close int listener = tcp_listening("127.0.0.1"), front = tcp_listening("127.0.0.1");
    struct probe probe = {.state = PROBE_OVER};
    uint16_t port = tcp_port(listener);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        relay(front, port);
    /* Time is the call's own, and the relay's may be late on a busy machine. */
    for (int i = 0; i < 50 && probe.state != PROBE_MET; i++) {
        probe.fd = begin(tcp_port(front));
        probe_all(listener, &probe, 1);
        fd_close(probe.fd);
    }
    ck_assert_int_eq(probe.state, PROBE_MET);
    kill_and_wait(pid);
}
END_TEST

static void add_diag(Suite *suite)
{
    TCase *cases = tcase_create("diag");
    tcase_add_loop_test(cases, a_listener_is_found_by_its_address, 0,
                        sizeof addresses / sizeof addresses[0]);
    tcase_add_test(cases, what_is_connected_is_no_listener);
    tcase_add_loop_test(cases, a_port_s_sockets_are_found, 0, 2);
    suite_add_tcase(suite, cases);
}

static void add_holders(Suite *suite)
{
    TCase *cases = tcase_create("holders");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_holder_s_sockets_end_and_no_others);
    tcase_add_test(cases, an_ended_listener_is_in_nobody_s_way);
    tcase_add_test(cases, nothing_to_end_ends_nothing);
    suite_add_tcase(suite, cases);
}

static void add_probes(Suite *suite)
{
    TCase *cases = tcase_create("probe");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, a_probe_meets_who_it_came_to, 0, 2);
    tcase_add_test(cases, where_none_comes_none_has_met);
    tcase_add_test(cases, strangers_are_passed_over);
    tcase_add_test(cases, a_relay_in_between_leads_on);
    suite_add_tcase(suite, cases);
}

int main(void)
{
    Suite *suite = suite_create("handover_sockets");
    add_diag(suite);
    add_holders(suite);
    add_probes(suite);
    return tap_run(suite);
}
