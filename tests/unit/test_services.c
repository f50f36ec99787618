#include "tests/unit/tap.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/net/address.h"
#include "rootlesskit/gateway/gate.h"
#include "rootlesskit/gateway/services.h"
#include "tests/unit/tcp.h"

static struct services services;
static unsigned char buffer[65536];

/* @param port  0: any; receives it */
static int open_at(int type, const char *text, bool v6only, uint16_t *port)
{
    struct sockaddr_storage address = tcp_at(text, *port);
    struct in6_addr unused;
    socklen_t len = sizeof address;
    int only = v6only;
    const int on = 1;
    int fd = socket(address.ss_family, type | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    if (address.ss_family == AF_INET6)
        ck_assert_int_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only), 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *port = address_of_socket(&address, &unused);
    return fd;
}

static void look(void)
{
    unsigned types = 1U << SOCK_STREAM | 1U << SOCK_DGRAM;
    ck_assert_int_eq(services_look(&services, types, buffer, sizeof buffer), 0);
}

static enum services_state state(int type, const char *text, uint16_t port)
{
    struct sockaddr_storage target = tcp_at(text, port);
    return services_of(&services, type, &target);
}

static const struct {
    int type;
    const char *address;
    bool v6only;
    const char *target;
    enum services_state state;
} cases[] = {
    {SOCK_STREAM, "127.0.0.1", false, "127.0.0.1", SERVICES_SERVED},
    {SOCK_STREAM, "127.0.0.1", false, "0.0.0.0", SERVICES_SERVED},
    {SOCK_STREAM, "127.0.0.1", false, "127.0.0.2", SERVICES_NONE},
    {SOCK_STREAM, "127.0.0.1", false, "192.0.2.1", SERVICES_UNKNOWN},
    {SOCK_STREAM, "127.0.0.1", false, "::1", SERVICES_NONE},
    {SOCK_STREAM, "0.0.0.0", false, "127.0.0.1", SERVICES_SERVED},
    {SOCK_STREAM, "0.0.0.0", false, "192.0.2.1", SERVICES_SERVED},
    {SOCK_STREAM, "0.0.0.0", false, "2001:db8::1", SERVICES_UNKNOWN},
    {SOCK_STREAM, "::", false, "127.0.0.1", SERVICES_SERVED},
    {SOCK_STREAM, "::", false, "::1", SERVICES_SERVED},
    {SOCK_STREAM, "::", true, "127.0.0.1", SERVICES_NONE},
    {SOCK_STREAM, "::", true, "2001:db8::1", SERVICES_SERVED},
    {SOCK_STREAM, "::1", false, "::", SERVICES_SERVED},
    {SOCK_STREAM, "::ffff:127.0.0.1", false, "127.0.0.1", SERVICES_SERVED},
    {SOCK_STREAM, "::ffff:0.0.0.0", false, "127.0.0.1", SERVICES_SERVED},
    {SOCK_DGRAM, "127.0.0.1", false, "127.0.0.1", SERVICES_SERVED},
    {SOCK_DGRAM, "::", true, "127.0.0.1", SERVICES_NONE},
};

START_TEST(a_socket_serves_what_the_kernel_gives_it)
{
    uint16_t port = 0;
    int fd = open_at(cases[_i].type, cases[_i].address, cases[_i].v6only, &port);
    int other = cases[_i].type == SOCK_STREAM ? SOCK_DGRAM : SOCK_STREAM;
    bool stream = cases[_i].type == SOCK_STREAM;
    ck_assert_int_eq(services_open(&services, NULL), 0);
    look();
    if (stream) {
        ck_assert_int_ne(state(SOCK_STREAM, cases[_i].target, port), SERVICES_SERVED);
        ck_assert_int_eq(listen(fd, 1), 0);
        look();
    }
    ck_assert_int_eq(state(cases[_i].type, cases[_i].target, port), cases[_i].state);
    ck_assert_int_ne(state(other, cases[_i].target, port), SERVICES_SERVED);
    ck_assert_int_eq(close(fd), 0);
    look();
    ck_assert_int_ne(state(cases[_i].type, cases[_i].target, port), SERVICES_SERVED);
    ck_assert_int_eq(close(services.fd), 0);
}
END_TEST

START_TEST(without_a_look_nothing_is_known)
{
    ck_assert_int_eq(services_open(&services, NULL), 0);
    ck_assert_int_eq(state(SOCK_STREAM, "127.0.0.1", 1), SERVICES_UNKNOWN);
    ck_assert_int_eq(close(services.fd), 0);
    services.fd = -EBADF;
    ck_assert_int_lt(services_look(&services, 1U << SOCK_STREAM, buffer, sizeof buffer), 0);
    ck_assert_int_eq(state(SOCK_STREAM, "127.0.0.1", 1), SERVICES_UNKNOWN);
}
END_TEST

static int connect_to(uint16_t port)
{
    struct sockaddr_storage address = tcp_at("127.0.0.1", port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int r = connect(fd, (const struct sockaddr *)&address, sizeof address) < 0 ? -errno : fd;
    if (r < 0)
        ck_assert_int_eq(close(fd), 0);
    return r;
}

/* What every server does. */
static int take(uint16_t port)
{
    struct sockaddr_storage address = tcp_at("127.0.0.1", port);
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    int r = bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 1) < 0
                ? -errno
                : 0;
    ck_assert_int_eq(close(fd), 0);
    return r;
}

START_TEST(a_shut_gate_refuses_and_keeps_its_port)
{
    static const char *const addresses[] = {"127.0.0.1", "0.0.0.0", "::"};
    uint16_t port = 0;
    char byte = 'x';
    int chosen = open_at(SOCK_STREAM, addresses[_i], false, &port);
    int fd = open_at(SOCK_STREAM, addresses[_i], false, &port);
    ck_assert_int_eq(close(chosen), 0);
    ck_assert_int_eq(gate_open(fd), 0);
    int client = connect_to(port);
    int served = accept(fd, NULL, NULL);
    ck_assert_int_ge(served, 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(gate_shut(fd), 0);
        ck_assert_int_eq(gate_shut(fd), 0);
        ck_assert_int_eq(connect_to(port), -ECONNREFUSED);
        ck_assert_int_eq(take(port), -EADDRINUSE);
        ck_assert_int_eq(send(client, &byte, 1, MSG_NOSIGNAL), 1);
        ck_assert_int_eq(recv(served, &byte, 1, 0), 1);
        ck_assert_int_eq(gate_open(fd), 0);
        ck_assert_int_eq(take(port), -EADDRINUSE);
        int next = connect_to(port);
        ck_assert_int_ge(next, 0);
        ck_assert_int_eq(close(next), 0);
    }
    ck_assert_int_eq(close(fd) | close(client) | close(served), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("services");
    TCase *services_case = tcase_create("services");
    tcase_add_loop_test(services_case, a_socket_serves_what_the_kernel_gives_it, 0,
                        sizeof cases / sizeof cases[0]);
    tcase_add_test(services_case, without_a_look_nothing_is_known);
    tcase_add_loop_test(services_case, a_shut_gate_refuses_and_keeps_its_port, 0, 3);
    suite_add_tcase(suite, services_case);
    return tap_run(suite);
}
