#include "tests/unit/tap.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "rootlesskit/handover/original.h"
#include "rootlesskit/handover/place.h"
#include "rootlesskit/port/bind.h"
#include "rootlesskit/port/spec.h"
#include "tests/unit/tcp.h"

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72 /* Linux 5.14 */
#endif

static struct port_spec spec_of(const char *proto, const char *ip, uint16_t port)
{
    struct port_spec spec = {.parent_port = port, .child_port = 80};
    ck_assert_int_eq(str_copy(spec.proto, sizeof spec.proto, proto), 0);
    ck_assert_int_eq(str_copy(spec.parent_ip, sizeof spec.parent_ip, ip), 0);
    return spec;
}

/* The address as text, port 8080, "" for none. */
static void expect_place(const struct port_place *place, const char *text, bool dual)
{
    struct sockaddr_storage want = tcp_at(text, 8080);
    socklen_t len =
        want.ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    ck_assert_uint_eq(place->len, *text ? len : 0);
    ck_assert_int_eq(place->address.ss_family, want.ss_family);
    ck_assert_mem_eq(&place->address, &want, sizeof want);
    ck_assert_int_eq(place->dual, dual);
}

enum original_kind { V4, V6, V6ONLY };

static const struct {
    enum original_kind original;
    const char *proto, *ip;
    const char *twin; /* NULL: it takes none of the port's clients */
    bool dual;
    const char *stand_in;
} places[] = {
    {V4, "tcp", "", "0.0.0.0", false, "::"},
    {V4, "tcp", "0.0.0.0", "0.0.0.0", false, "::"},
    {V4, "tcp", "::", "0.0.0.0", false, "::"},
    {V4, "tcp4", "", "0.0.0.0", false, ""},
    {V4, "tcp4", "0.0.0.0", "0.0.0.0", false, ""},
    {V4, "tcp6", "", NULL, false, ""},
    {V4, "tcp6", "::", NULL, false, ""},
    {V4, "tcp", "192.0.2.1", "192.0.2.1", false, ""},
    {V4, "tcp", "::ffff:192.0.2.1", "192.0.2.1", false, ""},
    {V4, "tcp4", "192.0.2.1", "192.0.2.1", false, ""},
    {V4, "tcp", "2001:db8::1", NULL, false, ""},
    {V4, "tcp6", "2001:db8::1", NULL, false, ""},
    {V6, "tcp", "", "::", true, ""},
    {V6, "tcp", "0.0.0.0", "::", true, ""},
    {V6, "tcp", "::", "::", true, ""},
    {V6, "tcp4", "", "::ffff:0.0.0.0", true, ""},
    {V6, "tcp4", "0.0.0.0", "::ffff:0.0.0.0", true, ""},
    {V6, "tcp6", "", "::", false, ""},
    {V6, "tcp6", "::", "::", false, ""},
    {V6, "tcp", "192.0.2.1", "::ffff:192.0.2.1", true, ""},
    {V6, "tcp", "::ffff:192.0.2.1", "::ffff:192.0.2.1", true, ""},
    {V6, "tcp4", "192.0.2.1", "::ffff:192.0.2.1", true, ""},
    {V6, "tcp", "2001:db8::1", "2001:db8::1", false, ""},
    {V6, "tcp6", "2001:db8::1", "2001:db8::1", false, ""},
    {V6ONLY, "tcp", "", "::", false, "0.0.0.0"},
    {V6ONLY, "tcp", "0.0.0.0", "::", false, "0.0.0.0"},
    {V6ONLY, "tcp", "::", "::", false, "0.0.0.0"},
    {V6ONLY, "tcp4", "", NULL, false, ""},
    {V6ONLY, "tcp4", "0.0.0.0", NULL, false, ""},
    {V6ONLY, "tcp6", "", "::", false, ""},
    {V6ONLY, "tcp6", "::", "::", false, ""},
    {V6ONLY, "tcp", "192.0.2.1", NULL, false, ""},
    {V6ONLY, "tcp", "::ffff:192.0.2.1", NULL, false, ""},
    {V6ONLY, "tcp", "2001:db8::1", "2001:db8::1", false, ""},
    {V6ONLY, "tcp6", "2001:db8::1", "2001:db8::1", false, ""},
};

static struct original original_of(enum original_kind kind)
{
    return (struct original){.family = kind == V4 ? AF_INET : AF_INET6, .v6only = kind == V6ONLY};
}

START_TEST(the_twin_is_of_the_original_s_family)
{
    struct original original = original_of(places[_i].original);
    struct port_spec spec = spec_of(places[_i].proto, places[_i].ip, 8080);
    struct place place;
    bool found = place_of(&original, &spec, &place);
    ck_assert_int_eq(found, places[_i].twin != NULL);
    if (!found)
        return;
    expect_place(&place.twin, places[_i].twin, places[_i].dual);
    expect_place(&place.stand_in, places[_i].stand_in, false);
}
END_TEST

static const struct {
    const char *bound;
    bool dual;
    const char *own;
} own_addresses[] = {
    {"0.0.0.0", false, "127.0.0.1"},
    {"192.0.2.1", false, "192.0.2.1"},
    {"127.0.0.2", false, "127.0.0.2"},
    {"::", true, "127.0.0.1"},
    {"::", false, "::1"},
    {"::ffff:0.0.0.0", true, "127.0.0.1"},
    {"::ffff:192.0.2.1", true, "192.0.2.1"},
    {"2001:db8::1", false, "2001:db8::1"},
};

START_TEST(the_host_reaches_what_is_bound_there)
{
    struct port_place place = {.address = tcp_at(own_addresses[_i].bound, 8080),
                               .dual = own_addresses[_i].dual};
    struct sockaddr_storage own = place_own_address(&place);
    struct sockaddr_storage want = tcp_at(own_addresses[_i].own, 8080);
    ck_assert_mem_eq(&own, &want, sizeof want);
}
END_TEST

/* Whose clients a socket takes, and where those of one family alone are taken (NULL: nowhere). */
static const struct {
    const char *bound;
    bool dual;
    const char *v4, *v6;
} halves[] = {
    {"0.0.0.0", false, "0.0.0.0", NULL},
    {"192.0.2.1", false, "192.0.2.1", NULL},
    {"::", true, "0.0.0.0", "::"},
    {"::", false, NULL, "::"},
    {"::ffff:0.0.0.0", true, "0.0.0.0", NULL},
    {"::ffff:192.0.2.1", true, "192.0.2.1", NULL},
    {"2001:db8::1", false, NULL, "2001:db8::1"},
};

static void check_half(const struct port_place *place, int family, const char *want)
{
    ck_assert_int_eq(place_takes(place, family), want != NULL);
    if (!want)
        return;
    const struct port_place half = place_narrow(place, family);
    const struct sockaddr_storage address = tcp_at(want, 8080);
    ck_assert_mem_eq(&half.address, &address, sizeof address);
    ck_assert_uint_eq(half.len,
                      family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
    ck_assert(!half.dual);
}

START_TEST(a_place_has_its_families)
{
    struct port_place place = {.address = tcp_at(halves[_i].bound, 8080), .dual = halves[_i].dual};
    check_half(&place, AF_INET, halves[_i].v4);
    check_half(&place, AF_INET6, halves[_i].v6);
}
END_TEST

START_TEST(a_link_local_address_keeps_its_zone)
{
    struct sockaddr_in6 zoned = {.sin6_family = AF_INET6, .sin6_scope_id = 3};
    struct port_place place = {0};
    zoned.sin6_addr.s6_addr[0] = 0xfe;
    zoned.sin6_addr.s6_addr[1] = 0x80;
    memcpy(&place.address, &zoned, sizeof zoned);
    struct sockaddr_storage own = place_own_address(&place);
    ck_assert_mem_eq(&own, &zoned, sizeof zoned);
}
END_TEST

static ino_t own_netns(void)
{
    struct stat st;
    ck_assert_int_eq(stat("/proc/self/ns/net", &st), 0);
    return st.st_ino;
}

/* Where we may not ask which namespace a socket is of, every one is refused. */
static bool may_ask_for_netns(void)
{
    cleanup_close int fd = tcp_bound("127.0.0.1", false);
    cleanup_close int netns = ioctl(fd, SIOCGSKNS);
    if (netns < 0)
        printf("# not tried: only CAP_NET_ADMIN may ask for the network namespace of a socket\n");
    return netns >= 0;
}

/* Bound to an address that is IPv6's alone, the kernel has it take nothing else. */
static const struct {
    const char *address;
    bool v6only, want_v6only;
} originals[] = {
    {"127.0.0.1", false, false}, {"0.0.0.0", false, false}, {"::", false, false},
    {"::", true, true},          {"::1", false, true},      {"::ffff:127.0.0.1", false, false},
};

START_TEST(a_bound_socket_is_an_original)
{
    struct original original;
    if (!may_ask_for_netns())
        return;
    cleanup_close int fd = tcp_bound(originals[_i].address, originals[_i].v6only);
    struct sockaddr_storage want = tcp_at(originals[_i].address, tcp_port(fd));
    ck_assert_int_eq(original_read(fd, own_netns(), &original), 0);
    ck_assert_int_eq(original.fd, fd);
    ck_assert_int_eq(original.family, want.ss_family);
    ck_assert_int_eq(original.v6only, originals[_i].want_v6only);
    ck_assert_uint_eq(original.netns, own_netns());
    ck_assert(!original.nested);
    ck_assert_mem_eq(&original.address, &want, sizeof want);
    ck_assert_int_eq(original_read(fd, own_netns() + 1, &original), 0);
    ck_assert_uint_eq(original.netns, own_netns());
    ck_assert(original.nested);
}
END_TEST

enum stranger { UDP, UNIX, PIPE, LISTENING, CONNECTED, UNBOUND, DEVICE, FILTER, CLOSED, STRANGERS };

/* One that would be an original but for what its name says. */
static int stranger(enum stranger kind)
{
    static struct sock_filter pass = BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
    const struct sock_fprog program = {.len = 1, .filter = &pass};
    struct sockaddr_storage any = tcp_at("127.0.0.1", 0);
    int ends[2];
    int fd = kind == UDP       ? socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)
             : kind == UNIX    ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)
             : kind == UNBOUND ? tcp_open(AF_INET)
                               : tcp_bound("127.0.0.1", false);
    if (kind == UDP)
        ck_assert_int_eq(bind(fd, (const struct sockaddr *)&any, sizeof any), 0);
    if (kind == LISTENING || kind == CONNECTED)
        ck_assert_int_eq(listen(fd, 1), 0);
    if (kind == CONNECTED)
        return tcp_dial("127.0.0.1", tcp_port(fd));
    if (kind == DEVICE)
        ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2), 0);
    if (kind == FILTER)
        ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0);
    if (kind == PIPE)
        ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    return kind == PIPE ? ends[0] : kind == CLOSED ? -EBADF : fd;
}

START_TEST(what_a_twin_cannot_be_like_is_refused)
{
    struct original original;
    if (!may_ask_for_netns())
        return;
    int fd = stranger((enum stranger)_i);
    ck_assert_int_eq(fd < 0, _i == CLOSED);
    ck_assert_int_eq(original_read(fd, own_netns(), &original), -EOPNOTSUPP);
}
END_TEST

/* As the host's own sockets are to the owner of the child's user namespace. */
START_TEST(a_socket_of_a_namespace_that_is_not_ours_is_refused)
{
    struct original original;
    if (!may_ask_for_netns())
        return;
    cleanup_close int fd = tcp_bound("127.0.0.1", false);
    ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
    ck_assert_int_eq(original_read(fd, own_netns(), &original), -EOPNOTSUPP);
}
END_TEST

static const struct {
    int family, level, name, value;
} options[] = {
    {AF_INET, SOL_SOCKET, SO_KEEPALIVE, 1},
    {AF_INET, SOL_SOCKET, SO_OOBINLINE, 1},
    {AF_INET, SOL_SOCKET, SO_PRIORITY, 3},
    {AF_INET, SOL_SOCKET, SO_RCVLOWAT, 5},
    {AF_INET, SOL_SOCKET, SO_TIMESTAMP, 1},
    {AF_INET, IPPROTO_TCP, TCP_NODELAY, 1},
    {AF_INET, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1},
    {AF_INET, IPPROTO_TCP, TCP_KEEPIDLE, 77},
    {AF_INET, IPPROTO_TCP, TCP_KEEPINTVL, 33},
    {AF_INET, IPPROTO_TCP, TCP_KEEPCNT, 4},
    {AF_INET, IPPROTO_TCP, TCP_USER_TIMEOUT, 12345},
    {AF_INET, IPPROTO_TCP, TCP_LINGER2, 21},
    {AF_INET, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 4096},
    {AF_INET, IPPROTO_TCP, TCP_SAVE_SYN, 1},
    {AF_INET, IPPROTO_IP, IP_TOS, 0x10},
    {AF_INET, IPPROTO_IP, IP_TTL, 33},
    {AF_INET6, IPPROTO_IP, IP_TOS, 0x10},
    {AF_INET6, IPPROTO_IPV6, IPV6_TCLASS, 0x20},
    {AF_INET6, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 44},
    {AF_INET6, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1},
    {AF_INET, SOL_SOCKET, SO_RCVBUF, 50000},
    {AF_INET, SOL_SOCKET, SO_SNDBUF, 50000},
};

START_TEST(an_option_comes_over)
{
    int level = options[_i].level, name = options[_i].name;
    if (options[_i].family == AF_INET6 && !tcp_has_ipv6()) {
        printf("# not tried: no IPv6 here\n");
        return;
    }
    cleanup_close int fd = tcp_open(options[_i].family), twin = tcp_open(options[_i].family);
    struct original original = {.fd = fd, .family = options[_i].family};
    tcp_set(fd, level, name, options[_i].value);
    ck_assert_int_ne(tcp_option(twin, level, name), tcp_option(fd, level, name));
    original_copy_options(&original, twin);
    ck_assert_int_eq(tcp_option(twin, level, name), tcp_option(fd, level, name));
}
END_TEST

START_TEST(linger_and_timeouts_come_over)
{
    const struct linger linger = {.l_onoff = 1, .l_linger = 7};
    const struct timeval timeout = {.tv_sec = 9};
    struct linger got_linger = {0};
    struct timeval got = {0};
    socklen_t linger_len = sizeof got_linger, len = sizeof got;
    cleanup_close int fd = tcp_open(AF_INET), twin = tcp_open(AF_INET);
    struct original original = {.fd = fd, .family = AF_INET};
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout), 0);
    original_copy_options(&original, twin);
    ck_assert_int_eq(getsockopt(twin, SOL_SOCKET, SO_LINGER, &got_linger, &linger_len), 0);
    ck_assert_mem_eq(&got_linger, &linger, sizeof linger);
    ck_assert_int_eq(getsockopt(twin, SOL_SOCKET, SO_RCVTIMEO, &got, &len), 0);
    ck_assert_int_eq(got.tv_sec, timeout.tv_sec);
}
END_TEST

/* A size that was set is not tuned by the kernel any more. */
START_TEST(sizes_that_were_left_alone_stay_the_kernel_s)
{
    cleanup_close int fd = tcp_open(AF_INET), twin = tcp_open(AF_INET);
    struct original original = {.fd = fd, .family = AF_INET};
    int locked = -1;
    socklen_t len = sizeof locked;
    original_copy_options(&original, twin);
    if (getsockopt(twin, SOL_SOCKET, SO_BUF_LOCK, &locked, &len) < 0) {
        printf("# not tried: no SO_BUF_LOCK here\n");
        return;
    }
    ck_assert_int_eq(locked, 0);
    tcp_set(fd, SOL_SOCKET, SO_RCVBUF, 65536);
    original_copy_options(&original, twin);
    ck_assert_int_eq(tcp_option(twin, SOL_SOCKET, SO_BUF_LOCK),
                     tcp_option(fd, SOL_SOCKET, SO_BUF_LOCK));
}
END_TEST

START_TEST(non_blocking_is_as_with_the_original)
{
    cleanup_close int fd = tcp_open(AF_INET), twin = tcp_open(AF_INET);
    struct original original = {.fd = fd, .family = AF_INET};
    for (int flag = O_NONBLOCK; flag >= 0; flag -= O_NONBLOCK) {
        ck_assert_int_eq(fcntl(fd, F_SETFL, flag), 0);
        original_copy_options(&original, twin);
        ck_assert_int_eq(fcntl(twin, F_GETFL) & O_NONBLOCK, flag);
    }
}
END_TEST

static void add_places(Suite *suite)
{
    TCase *cases = tcase_create("place");
    tcase_add_loop_test(cases, the_twin_is_of_the_original_s_family, 0,
                        sizeof places / sizeof places[0]);
    tcase_add_loop_test(cases, the_host_reaches_what_is_bound_there, 0,
                        sizeof own_addresses / sizeof own_addresses[0]);
    tcase_add_loop_test(cases, a_place_has_its_families, 0, sizeof halves / sizeof halves[0]);
    tcase_add_test(cases, a_link_local_address_keeps_its_zone);
    suite_add_tcase(suite, cases);
}

static void add_originals(Suite *suite)
{
    TCase *cases = tcase_create("original");
    tcase_add_loop_test(cases, a_bound_socket_is_an_original, 0,
                        sizeof originals / sizeof originals[0]);
    tcase_add_loop_test(cases, what_a_twin_cannot_be_like_is_refused, 0, STRANGERS);
    tcase_add_test(cases, a_socket_of_a_namespace_that_is_not_ours_is_refused);
    tcase_add_loop_test(cases, an_option_comes_over, 0, sizeof options / sizeof options[0]);
    tcase_add_test(cases, linger_and_timeouts_come_over);
    tcase_add_test(cases, sizes_that_were_left_alone_stay_the_kernel_s);
    tcase_add_test(cases, non_blocking_is_as_with_the_original);
    suite_add_tcase(suite, cases);
}

int main(void)
{
    Suite *suite = suite_create("handover");
    add_places(suite);
    add_originals(suite);
    return tap_run(suite);
}
