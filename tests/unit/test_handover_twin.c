#include "tests/unit/tap.h"

#include <fcntl.h>
#include <stdio.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "rootlesskit/handover/original.h"
#include "rootlesskit/handover/place.h"
#include "rootlesskit/handover/twin.h"
#include "rootlesskit/port/bind.h"
#include "rootlesskit/port/spec.h"
#include "tests/unit/tcp.h"

/* For what would come at once on loopback, and must not. */
#define NEVER_MS 300

static struct port_spec spec_of(const char *proto, const char *ip, uint16_t port)
{
    struct port_spec spec = {.parent_port = port, .child_port = 80};
    ck_assert_int_eq(str_copy(spec.proto, sizeof spec.proto, proto), 0);
    ck_assert_int_eq(str_copy(spec.parent_ip, sizeof spec.parent_ip, ip), 0);
    return spec;
}

enum original_kind { V4, V6, V6ONLY };

static struct original original_of(enum original_kind kind)
{
    return (struct original){.family = kind == V4 ? AF_INET : AF_INET6, .v6only = kind == V6ONLY};
}

/* A published port whose own socket has made room, as gateway/publish.h's has then. */
static int yielded(struct port_spec *spec)
{
    struct err err = {0};
    int fd = port_bind(spec, &err);
    ck_assert_msg(fd >= 0, "%s", err.msg);
    ck_assert_int_eq(shutdown(fd, SHUT_RD), 0);
    tcp_set(fd, SOL_SOCKET, SO_REUSEADDR, 0);
    tcp_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    return fd;
}

/* Who takes a client that comes to the address: 't'win, 's'tand-in, or '-': nobody. */
static char taker(const char *address, uint16_t port, int twin, int stand_in)
{
    cleanup_close int client = tcp_dial(address, port);
    if (client < 0)
        return '-';
    bool by_twin = tcp_awaits(twin, POLLIN, 0);
    cleanup_close int served = tcp_accept(by_twin ? twin : stand_in);
    ck_assert_uint_eq(tcp_port(served), port);
    return by_twin ? 't' : 's';
}

static const struct {
    enum original_kind original;
    const char *proto, *ip;
    char v4, v6;
} twins[] = {
    {V4, "tcp", "", 't', 's'},          {V4, "tcp4", "", 't', '-'},
    {V4, "tcp", "127.0.0.1", 't', '-'}, {V6, "tcp", "", 't', 't'},
    {V6, "tcp4", "", 't', '-'},         {V6, "tcp", "127.0.0.1", 't', '-'},
    {V6, "tcp6", "", '-', 't'},         {V6, "tcp", "::1", '-', 't'},
    {V6ONLY, "tcp", "", 's', 't'},      {V6ONLY, "tcp6", "::1", '-', 't'},
};

START_TEST(clients_reach_the_twin_and_the_stand_in)
{
    struct port_spec spec = spec_of(twins[_i].proto, twins[_i].ip, 0);
    struct original original = original_of(twins[_i].original);
    struct place place;
    if (!tcp_has_ipv6()) {
        printf("# not tried: no IPv6 here\n");
        return;
    }
    cleanup_close int shape = tcp_open(original.family), own = yielded(&spec);
    ck_assert_uint_eq(tcp_port(own), spec.parent_port);
    original.fd = shape;
    ck_assert(place_of(&original, &spec, &place));
    cleanup_close int twin = twin_make(&original, &place.twin, 5, false);
    ck_assert_int_ge(twin, 0);
    ck_assert_int_eq(tcp_option(twin, SOL_SOCKET, SO_DOMAIN), original.family);
    ck_assert_int_eq(fcntl(twin, F_GETFD), FD_CLOEXEC);
    ck_assert_int_eq(fcntl(twin, F_GETFL) & O_NONBLOCK, 0);
    cleanup_close int stand_in = place.stand_in.len > 0 ? twin_stand_in(&place.stand_in) : -EBADF;
    if (stand_in >= 0)
        ck_assert_int_eq(fcntl(stand_in, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    ck_assert_int_eq(taker("127.0.0.1", spec.parent_port, twin, stand_in), twins[_i].v4);
    ck_assert_int_eq(taker("::1", spec.parent_port, twin, stand_in), twins[_i].v6);
}
END_TEST

static struct port_place anywhere(const char *text)
{
    return (struct port_place){.address = tcp_at(text, 0), .len = sizeof(struct sockaddr_in)};
}

START_TEST(a_twin_that_cannot_be_bound_is_none)
{
    cleanup_close int shape = tcp_open(AF_INET), other = tcp_listening("127.0.0.1");
    const struct original original = {.fd = shape, .family = AF_INET};
    struct port_place place = anywhere("127.0.0.1");
    place.address = tcp_address(other);
    ck_assert_int_eq(twin_make(&original, &place, 5, false), -EADDRINUSE);
    ck_assert_int_eq(twin_stand_in(&place), -EADDRINUSE);
    place = anywhere("192.0.2.77");
    ck_assert_int_eq(twin_make(&original, &place, 5, false), -EADDRNOTAVAIL);
}
END_TEST

enum which { TWIN, ACCEPTED };

/* What somebody has who was given a port's twin. @return -EBADF: this kernel does not lock it */
static int locked_socket(struct port_spec *spec, enum original_kind kind, enum which which)
{
    cleanup_close int own = yielded(spec);
    struct original original = original_of(kind);
    cleanup_close int shape = tcp_open(original.family);
    struct place place;
    ck_assert_uint_eq(tcp_port(own), spec->parent_port);
    original.fd = shape;
    ck_assert(place_of(&original, spec, &place));
    cleanup_close int twin = twin_make(&original, &place.twin, 5, true);
    ck_assert_int_eq(twin >= 0, twin_can_lock());
    if (twin < 0) {
        ck_assert_int_eq(twin, -EPERM);
        printf("# not tried: this kernel does not lock a socket in\n");
        return -EBADF;
    }
    if (which == TWIN)
        return take_fd(&twin);
    cleanup_close int client =
        tcp_dial(spec->parent_ip[0] ? spec->parent_ip : "127.0.0.1", spec->parent_port);
    ck_assert_int_ge(client, 0);
    return tcp_accept(twin);
}

static void disconnect(int fd)
{
    const struct sockaddr nothing = {.sa_family = AF_UNSPEC};
    ck_assert_int_eq(connect(fd, &nothing, sizeof nothing), 0);
    ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

/* At once on loopback, where it does at all. */
static bool gets_connected(int fd, const struct sockaddr_storage *to, int ms)
{
    int error = 0;
    socklen_t len = sizeof error;
    (void)connect(fd, (const struct sockaddr *)to, sizeof *to);
    return tcp_awaits(fd, POLLOUT, ms) && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 &&
           error == 0;
}

START_TEST(a_locked_socket_makes_no_connection)
{
    const int off = 0;
    struct port_spec spec = spec_of("tcp4", "127.0.0.1", 0);
    cleanup_close int fd = locked_socket(&spec, V4, (enum which)_i);
    cleanup_close int server = tcp_listening("127.0.0.1"), plain = tcp_open(AF_INET);
    const struct sockaddr_storage there = tcp_address(server);
    if (fd < 0)
        return;
    disconnect(fd);
    disconnect(plain);
    ck_assert_int_lt(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &off, sizeof off), 0);
    ck_assert_int_lt(setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &off, sizeof off), 0);
    ck_assert(!gets_connected(fd, &there, NEVER_MS));
    ck_assert(gets_connected(plain, &there, TCP_WAIT_MS));
}
END_TEST

START_TEST(a_locked_twin_is_not_bound_again)
{
    const struct sockaddr_storage elsewhere = tcp_at("127.0.0.1", 0);
    struct port_spec spec = spec_of("tcp4", "127.0.0.1", 0);
    cleanup_close int fd = locked_socket(&spec, V4, TWIN);
    if (fd < 0)
        return;
    disconnect(fd);
    ck_assert_int_lt(bind(fd, (const struct sockaddr *)&elsewhere, sizeof elsewhere), 0);
}
END_TEST

static const struct {
    enum original_kind original;
    const char *proto, *ip;
    const char *elsewhere; /* bound there */
    bool same_port;
    const char *client; /* comes here */
} elsewheres[] = {
    {V4, "tcp4", "127.0.0.1", "127.0.0.1", false, "127.0.0.1"},
    {V4, "tcp4", "127.0.0.1", "127.0.0.2", true, "127.0.0.2"},
    {V4, "tcp4", "127.0.0.1", "0.0.0.0", true, "127.0.0.2"},
    {V4, "tcp", "", "0.0.0.0", false, "127.0.0.1"},
    {V6, "tcp", "", "::", false, "127.0.0.1"},
    {V6, "tcp", "", "::", false, "::1"},
    {V6, "tcp4", "", "::", true, "::1"},
    {V6, "tcp", "127.0.0.1", "::ffff:127.0.0.2", true, "127.0.0.2"},
    {V6, "tcp", "127.0.0.1", "::1", true, "::1"},
    {V6ONLY, "tcp6", "::1", "::", true, "127.0.0.1"},
    {V6ONLY, "tcp6", "::1", "::ffff:127.0.0.1", true, "127.0.0.1"},
};

/* An accepted socket loses its place when it is disconnected, and may have any. */
START_TEST(an_accepted_socket_takes_no_clients_elsewhere)
{
    struct port_spec spec = spec_of(elsewheres[_i].proto, elsewheres[_i].ip, 0);
    cleanup_close int fd = locked_socket(&spec, elsewheres[_i].original, ACCEPTED);
    struct sockaddr_storage place =
        tcp_at(elsewheres[_i].elsewhere, elsewheres[_i].same_port ? spec.parent_port : 0);
    if (fd < 0)
        return;
    disconnect(fd);
    if (place.ss_family == AF_INET6)
        tcp_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, false);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&place, sizeof place), 0);
    ck_assert_int_eq(listen(fd, 5), 0);
    struct sockaddr_storage there = tcp_at(elsewheres[_i].client, tcp_port(fd));
    cleanup_close int client = tcp_open(there.ss_family);
    ck_assert_int_eq(fcntl(client, F_SETFL, O_NONBLOCK), 0);
    ck_assert(!gets_connected(client, &there, NEVER_MS));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("handover_twin");
    TCase *cases = tcase_create("twin");
    tcase_set_timeout(cases, 30);
    tcase_add_loop_test(cases, clients_reach_the_twin_and_the_stand_in, 0,
                        sizeof twins / sizeof twins[0]);
    tcase_add_test(cases, a_twin_that_cannot_be_bound_is_none);
    tcase_add_loop_test(cases, a_locked_socket_makes_no_connection, 0, ACCEPTED + 1);
    tcase_add_test(cases, a_locked_twin_is_not_bound_again);
    tcase_add_loop_test(cases, an_accepted_socket_takes_no_clients_elsewhere, 0,
                        sizeof elsewheres / sizeof elsewheres[0]);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
