#include "tests/unit/tap.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "rootlesskit/port/bind.h"
#include "rootlesskit/port/spec.h"

static const struct {
    const char *text;
    struct port_spec spec;
} good[] = {
    {"127.0.0.1:8080:80/tcp", {"tcp", "127.0.0.1", "", 8080, 80}},
    {"8080:80/tcp4", {"tcp4", "", "", 8080, 80}},
    {"0.0.0.0:1:65535/udp", {"udp", "0.0.0.0", "", 1, 65535}},
    {"[::1]:8080:80/tcp6", {"tcp6", "::1", "", 8080, 80}},
    {"[::]:8080:[2001:db8::1]:80/tcp", {"tcp", "::", "2001:db8::1", 8080, 80}},
    {"127.0.0.1:8080:10.0.2.100:80/tcp", {"tcp", "127.0.0.1", "10.0.2.100", 8080, 80}},
    {"8080:10.0.2.100:80/sctp", {"sctp", "", "10.0.2.100", 8080, 80}},
    {"127.0.0.1:8080:[::1]:80/tcp4", {"tcp4", "127.0.0.1", "::1", 8080, 80}},
    {"[::ffff:127.0.0.1]:8080:80/tcp4", {"tcp4", "::ffff:127.0.0.1", "", 8080, 80}},
    {":8080::80/udp6", {"udp6", "", "", 8080, 80}},
    {"[127.0.0.1]:8080:[10.0.2.100]:80/tcp", {"tcp", "127.0.0.1", "10.0.2.100", 8080, 80}},
};

START_TEST(good_specs_are_read)
{
    const struct port_spec *want = &good[_i].spec;
    struct port_spec spec;
    struct err err = {0};
    int r = port_spec_parse(good[_i].text, &spec, &err);
    ck_assert_msg(r == 0, "%s: %s", good[_i].text, err.msg);
    ck_assert_str_eq(spec.proto, want->proto);
    ck_assert_str_eq(spec.parent_ip, want->parent_ip);
    ck_assert_str_eq(spec.child_ip, want->child_ip);
    ck_assert_uint_eq(spec.parent_port, want->parent_port);
    ck_assert_uint_eq(spec.child_port, want->child_port);
}
END_TEST

static const struct {
    const char *text, *said;
} bad[] = {
    {"", "not of the form"},
    {"bad", "not of the form"},
    {"8080", "not of the form"},
    {"8080/tcp", "not of the form"},
    {"8080:80", "not of the form"},
    {"127.0.0.1:8080:80", "not of the form"},
    {"127.0.0.1:8080:80/", "unknown proto"},
    {"127.0.0.1:8080:80/TCP", "unknown proto: \"TCP\""},
    {"127.0.0.1:8080:80/tcp5", "unknown proto"},
    {"127.0.0.1:8080:80/tcp/udp", "unknown proto"},
    {"127.0.0.1:8080:80/muchtoolong", "not of the form"},
    {"127.0.0.1:8080:80/tcp ", "unknown proto"},
    {" 127.0.0.1:8080:80/tcp", "invalid ParentIP"},
    {"127.0.0.1:8080:0/tcp", "invalid ChildPort"},
    {"127.0.0.1:65536:80/tcp", "not of the form"},
    {"127.0.0.1:8080:99999999999999999999/tcp", "not of the form"},
    {"127.0.0.1:-1:80/tcp", "not of the form"},
    {"127.0.0.1:8080:+80/tcp", "not of the form"},
    {"127.0.0.1:8080-8090:80-90/tcp", "not of the form"},
    {"127.0.0.256:8080:80/tcp", "invalid ParentIP: \"127.0.0.256\""},
    {"127.1:8080:80/tcp", "invalid ParentIP"},
    {"localhost:8080:80/tcp", "invalid ParentIP"},
    {"127.0.0.1:8080:nowhere:80/tcp", "invalid ChildIP: \"nowhere\""},
    {"::1:8080:80/tcp", "not of the form"},
    {"[::1:8080:80/tcp", "not of the form"},
    {"[::1]8080:80/tcp", "not of the form"},
    {"[]:8080:80/tcp", "not of the form"},
    {"[]:8080:80/tcp", "not of the form"},
    {"[fe80::1%lo]:8080:80/tcp", "invalid ParentIP"},
    {"[::1]:8080:80/tcp4", "no IPv4 address, but tcp4 is"},
    {"127.0.0.1:8080:80/udp6", "no IPv6 address, but udp6 is"},
    {"127.0.0.1:8080:80/tcp,127.0.0.1:8081:81/tcp", "not of the form"},
};

START_TEST(bad_specs_are_refused)
{
    struct port_spec spec = {.proto = "keep"};
    struct err err = {0};
    ck_assert_int_eq(port_spec_parse(bad[_i].text, &spec, &err), -EINVAL);
    ck_assert_int_eq(err.code, EINVAL);
    ck_assert_msg(strstr(err.msg, bad[_i].said) != NULL, "%s", err.msg);
    ck_assert_msg(strstr(err.msg, bad[_i].text) != NULL, "%s", err.msg);
    ck_assert_str_eq(spec.proto, "keep");
}
END_TEST

static struct port_spec spec_of(const char *proto, const char *ip, uint16_t port)
{
    struct port_spec spec = {.parent_port = port, .child_port = 80};
    ck_assert_int_eq(str_copy(spec.proto, sizeof spec.proto, proto), 0);
    ck_assert_int_eq(str_copy(spec.parent_ip, sizeof spec.parent_ip, ip), 0);
    return spec;
}

static bool host_has_ipv6(void)
{
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    cleanup_close int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && bind(fd, (const struct sockaddr *)&loopback, sizeof loopback) == 0;
}

/* A port that is free on every address of both families. */
static uint16_t free_port(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    socklen_t len = sizeof any;
    cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert(bind(fd, (const struct sockaddr *)&any, sizeof any) == 0);
    ck_assert(getsockname(fd, (struct sockaddr *)&any, &len) == 0);
    return ntohs(any.sin_port);
}

static bool reaches(int family, uint16_t port)
{
    struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    cleanup_close int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 &&
           (family == AF_INET ? connect(fd, (const struct sockaddr *)&v4, sizeof v4)
                              : connect(fd, (const struct sockaddr *)&v6, sizeof v6)) == 0;
}

static const struct {
    const char *proto, *ip;
    bool v4, v6;
} binds[] = {
    {"tcp", "", true, true},
    {"tcp", "0.0.0.0", true, true},
    {"tcp", "::", true, true},
    {"tcp", "127.0.0.1", true, false},
    {"tcp", "::ffff:127.0.0.1", true, false},
    {"tcp", "::1", false, true},
    {"tcp4", "", true, false},
    {"tcp4", "0.0.0.0", true, false},
    {"tcp6", "", false, true},
    {"tcp6", "::", false, true},
    {"tcp6", "::1", false, true},
};

START_TEST(the_family_is_go_s)
{
    if (binds[_i].v6 && !host_has_ipv6()) {
        printf("# %s \"%s\": not tried, no IPv6 here\n", binds[_i].proto, binds[_i].ip);
        return;
    }
    uint16_t port = free_port();
    struct port_spec spec = spec_of(binds[_i].proto, binds[_i].ip, port);
    struct err err = {0};
    cleanup_close int fd = port_bind(&spec, &err);
    ck_assert_msg(fd >= 0, "%s", err.msg);
    ck_assert(reaches(AF_INET, port) == binds[_i].v4);
    ck_assert(reaches(AF_INET6, port) == binds[_i].v6);
}
END_TEST

START_TEST(tcp4_and_tcp6_share_a_port)
{
    if (!host_has_ipv6())
        return;
    uint16_t port = free_port();
    struct port_spec four = spec_of("tcp4", "", port), six = spec_of("tcp6", "", port);
    cleanup_close int first = port_bind(&four, NULL);
    cleanup_close int second = port_bind(&six, NULL);
    ck_assert_int_ge(first, 0);
    ck_assert_int_ge(second, 0);
}
END_TEST

START_TEST(a_busy_port_is_named)
{
    uint16_t port = free_port();
    char where[64];
    struct port_spec spec = spec_of("tcp4", "127.0.0.1", port);
    struct err err = {0};
    cleanup_close int first = port_bind(&spec, NULL);
    ck_assert_int_ge(first, 0);
    ck_assert_int_eq(port_bind(&spec, &err), -EADDRINUSE);
    (void)str_format(where, sizeof where, "127.0.0.1:%u (tcp4): address already in use", port);
    ck_assert_msg(strstr(err.msg, where) != NULL, "%s", err.msg);
}
END_TEST

START_TEST(a_foreign_address_is_named)
{
    struct port_spec spec = spec_of("tcp", "192.0.2.77", free_port());
    struct err err = {0};
    ck_assert_int_eq(port_bind(&spec, &err), -EADDRNOTAVAIL);
    ck_assert_msg(strstr(err.msg, "no interface of this host has 192.0.2.77") != NULL, "%s",
                  err.msg);
}
END_TEST

START_TEST(sctp_listens_or_says_why_not)
{
    struct port_spec spec = spec_of("sctp", "127.0.0.1", 0);
    struct err err = {0};
    cleanup_close int fd = port_bind(&spec, &err);
    if (fd < 0)
        ck_assert_msg(strstr(err.msg, "this kernel has no SCTP") != NULL, "%s", err.msg);
    else
        ck_assert_uint_ne(spec.parent_port, 0);
}
END_TEST

START_TEST(port_0_takes_a_free_one)
{
    struct port_spec spec = spec_of("tcp", "", 0), busy;
    struct err err = {0};
    cleanup_close int fd = port_bind(&spec, &err);
    ck_assert_msg(fd >= 0, "%s", err.msg);
    ck_assert_uint_ne(spec.parent_port, 0);
    ck_assert(reaches(AF_INET, spec.parent_port));
    busy = spec;
    ck_assert_int_eq(port_bind(&busy, NULL), -EADDRINUSE);
}
END_TEST

START_TEST(udp_tells_where_a_datagram_went)
{
    uint16_t port = free_port();
    struct port_spec spec = spec_of("udp4", "", port);
    struct err err = {0};
    cleanup_close int fd = port_bind(&spec, &err);
    ck_assert_msg(fd >= 0, "%s", err.msg);
    ck_assert_int_eq(port_bind(&spec, NULL), -EADDRINUSE);
    int type = 0, on = 0;
    socklen_t len = sizeof type;
    ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len), 0);
    ck_assert_int_eq(type, SOCK_DGRAM);
    len = sizeof on;
    ck_assert_int_eq(getsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, &len), 0);
    ck_assert_int_ne(on, 0);
}
END_TEST

static const struct {
    const char *proto[2], *ip[2];
    bool overlap;
} pairs[] = {
    {{"tcp", "tcp"}, {"", ""}, true},
    {{"tcp", "tcp"}, {"127.0.0.1", "127.0.0.1"}, true},
    {{"tcp", "tcp"}, {"127.0.0.1", "127.0.0.2"}, false},
    {{"tcp", "tcp4"}, {"0.0.0.0", "127.0.0.1"}, true},
    {{"tcp", "tcp6"}, {"0.0.0.0", "::1"}, true},
    {{"tcp", "tcp4"}, {"::", "127.0.0.1"}, true},
    {{"tcp4", "tcp"}, {"", "127.0.0.1"}, true},
    {{"tcp4", "tcp"}, {"", "::1"}, false},
    {{"tcp4", "tcp6"}, {"", ""}, false},
    {{"tcp4", "tcp6"}, {"0.0.0.0", "::"}, false},
    {{"tcp6", "tcp"}, {"::", "::1"}, true},
    {{"tcp6", "tcp6"}, {"::1", "0:0:0:0:0:0:0:1"}, true},
    {{"tcp6", "tcp6"}, {"::1", "::2"}, false},
    {{"tcp", "tcp4"}, {"::ffff:127.0.0.1", "127.0.0.1"}, true},
    {{"tcp", "udp"}, {"", ""}, false},
    {{"udp4", "tcp4"}, {"127.0.0.1", "127.0.0.1"}, false},
    {{"udp", "udp4"}, {"", "127.0.0.1"}, true},
    {{"sctp", "tcp"}, {"", ""}, false},
};

START_TEST(overlap_is_what_one_socket_alone_can_have)
{
    struct port_spec a = spec_of(pairs[_i].proto[0], pairs[_i].ip[0], 80),
                     b = spec_of(pairs[_i].proto[1], pairs[_i].ip[1], 80);
    ck_assert(port_overlaps(&a, &b) == pairs[_i].overlap);
    ck_assert(port_overlaps(&b, &a) == pairs[_i].overlap);
    b.parent_port = 81;
    ck_assert(!port_overlaps(&a, &b));
}
END_TEST

/* check's fork mode makes this process a throw-away one, so it may give up its privileges. */
START_TEST(a_privileged_port_says_the_ways_out)
{
    struct port_spec spec = spec_of("tcp", "127.0.0.1", 7);
    struct err err = {0};
    if (geteuid() == 0)
        ck_assert_int_eq(setresuid(65534, 65534, 65534), 0);
    int r = port_bind(&spec, &err);
    if (r >= 0) {
        fd_close(r);
        printf("# not tried: port 7 is not privileged here\n");
        return;
    }
    ck_assert_int_eq(r, -EACCES);
    ck_assert_msg(strstr(err.msg, "127.0.0.1:7") && strstr(err.msg, "larger port") &&
                      strstr(err.msg, "net.ipv4.ip_unprivileged_port_start=7") &&
                      strstr(err.msg, "CAP_NET_BIND_SERVICE"),
                  "%s", err.msg);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("portspec");
    TCase *cases = tcase_create("portspec");
    tcase_add_loop_test(cases, good_specs_are_read, 0, sizeof good / sizeof good[0]);
    tcase_add_loop_test(cases, bad_specs_are_refused, 0, sizeof bad / sizeof bad[0]);
    tcase_add_loop_test(cases, the_family_is_go_s, 0, sizeof binds / sizeof binds[0]);
    tcase_add_test(cases, tcp4_and_tcp6_share_a_port);
    tcase_add_test(cases, a_busy_port_is_named);
    tcase_add_test(cases, a_foreign_address_is_named);
    tcase_add_test(cases, sctp_listens_or_says_why_not);
    tcase_add_test(cases, port_0_takes_a_free_one);
    tcase_add_test(cases, udp_tells_where_a_datagram_went);
    tcase_add_loop_test(cases, overlap_is_what_one_socket_alone_can_have, 0,
                        sizeof pairs / sizeof pairs[0]);
    tcase_add_test(cases, a_privileged_port_says_the_ways_out);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
