#include "tests/unit/tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "rootlesskit/port/bind.h"
#include "rootlesskit/port/spec.h"

static const struct {
    const char *text;
    struct port_spec spec;
} good[] = {
    {"8080:80/tcp", {"tcp", "", "", 8080, 80}},
    {"127.0.0.1:8080:80/tcp", {"tcp", "127.0.0.1", "", 8080, 80}},
    {"127.0.0.1:8080:10.0.2.100:80/tcp4", {"tcp4", "127.0.0.1", "10.0.2.100", 8080, 80}},
    {"8080:10.0.2.100:80/udp", {"udp", "", "10.0.2.100", 8080, 80}},
    {"[::1]:8080:[fd00::1]:80/tcp6", {"tcp6", "::1", "fd00::1", 8080, 80}},
    {"[::]:65535:1/tcp", {"tcp", "::", "", 65535, 1}},
    {"0.0.0.0:1:65535/sctp", {"sctp", "0.0.0.0", "", 1, 65535}},
};

static const char *const bad[] = {
    "",
    "8080/tcp",
    "8080:80",
    "8080:80/",
    "8080:80/TCP",
    "8080:80/tcp5",
    "0:80/tcp",
    "8080:0/tcp",
    "65536:80/tcp",
    "-1:80/tcp",
    "+80:80/tcp",
    " 80:80/tcp",
    "80:80/tcp ",
    "::1:8080:80/tcp",
    "[::1:8080:80/tcp",
    "x:8080:80/tcp",
    "1.2.3:8080:80/tcp",
    "1.2.3.4:8080:80/tcp6",
    "[::1]:8080:80/tcp4",
    "80:80:80:80/tcp",
    "8080:80/tcp/udp",
    "[127.0.0.1]:80/tcp",
};

START_TEST(takes_the_form)
{
    struct port_spec spec;
    struct err err = {0};
    ck_assert_msg(port_spec_parse(good[_i].text, &spec, &err) == 0, "%s: %s", good[_i].text,
                  err.msg);
    ck_assert_str_eq(spec.proto, good[_i].spec.proto);
    ck_assert_str_eq(spec.parent_ip, good[_i].spec.parent_ip);
    ck_assert_str_eq(spec.child_ip, good[_i].spec.child_ip);
    ck_assert_uint_eq(spec.parent_port, good[_i].spec.parent_port);
    ck_assert_uint_eq(spec.child_port, good[_i].spec.child_port);
}
END_TEST

START_TEST(refuses_the_rest)
{
    struct port_spec spec;
    struct err err = {0};
    ck_assert_msg(port_spec_parse(bad[_i], &spec, &err) == -EINVAL, "taken: %s", bad[_i]);
    ck_assert_int_ne(err.msg[0], '\0');
}
END_TEST

static int can_connect(int family, uint16_t port)
{
    struct sockaddr_in v4 = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 v6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback};
    int fd = socket(family, SOCK_STREAM, 0);
    int r = family == AF_INET ? connect(fd, (const struct sockaddr *)&v4, sizeof v4)
                              : connect(fd, (const struct sockaddr *)&v6, sizeof v6);
    close(fd);
    return r == 0;
}

/* A port nobody has, found by letting the kernel choose one. */
static uint16_t free_port(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    socklen_t len = sizeof any;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&any, sizeof any), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&any, &len), 0);
    close(fd);
    return ntohs(any.sin_port);
}

static const struct {
    const char *proto, *ip;
    int v4, v6;
} families[] = {
    {"tcp", "", 1, 1},  {"tcp", "0.0.0.0", 1, 1},   {"tcp", "::", 1, 1},  {"tcp4", "", 1, 0},
    {"tcp6", "", 0, 1}, {"tcp", "127.0.0.1", 1, 0}, {"tcp", "::1", 0, 1},
};

START_TEST(listens_on_the_families_it_says)
{
    struct port_spec spec = {.parent_port = free_port(), .child_port = 80};
    struct err err = {0};
    strncat(spec.proto, families[_i].proto, sizeof spec.proto - 1);
    strncat(spec.parent_ip, families[_i].ip, sizeof spec.parent_ip - 1);
    int fd = port_bind(&spec, &err);
    ck_assert_msg(fd >= 0, "%s", err.msg);
    ck_assert_int_eq(can_connect(AF_INET, spec.parent_port), families[_i].v4);
    ck_assert_int_eq(can_connect(AF_INET6, spec.parent_port), families[_i].v6);
    close(fd);
}
END_TEST

START_TEST(a_busy_port_is_named)
{
    struct port_spec spec = {
        .proto = "tcp4", .parent_ip = "127.0.0.1", .parent_port = free_port(), .child_port = 80};
    struct err err = {0};
    int fd = port_bind(&spec, &err);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(port_bind(&spec, &err), -EADDRINUSE);
    ck_assert_ptr_nonnull(strstr(err.msg, "127.0.0.1"));
    close(fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("portspec");
    TCase *cases = tcase_create("portspec");
    tcase_add_loop_test(cases, takes_the_form, 0, sizeof good / sizeof good[0]);
    tcase_add_loop_test(cases, refuses_the_rest, 0, sizeof bad / sizeof bad[0]);
    tcase_add_loop_test(cases, listens_on_the_families_it_says, 0,
                        sizeof families / sizeof families[0]);
    tcase_add_test(cases, a_busy_port_is_named);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
