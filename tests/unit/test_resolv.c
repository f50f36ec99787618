#include "tests/unit/tap.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "rootlesskit/resolv.h"

static const struct {
    const char *text;
    const char *addresses[GATEWAY_RESOLVERS_MAX + 1]; /* NULL-ended */
} files[] = {
    {"nameserver 192.0.2.1\n", {"192.0.2.1"}},
    {"nameserver\t127.0.0.53", {"127.0.0.53"}},
    {"# c\nsearch a b\nnameserver 192.0.2.1 # office\r\nnameserver 2001:db8::1\n",
     {"192.0.2.1", "2001:db8::1"}},
    {" nameserver 192.0.2.1\nnameservers 192.0.2.2\nnameserver\nnameserver x\n", {NULL}},
    {"nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n",
     {"192.0.2.1", "192.0.2.2", "192.0.2.3"}},
    {"nameserver 192.0.2.1\nnameserver fe80::1\nnameserver fe80::2%no-such-link\nnameserver ::1",
     {"192.0.2.1", "fe80::1", "fe80::2"}},
    {"nameserver 127.0.0.53;local\noptions edns0", {"127.0.0.53"}},
    {"", {NULL}},
};

START_TEST(takes_the_nameservers)
{
    struct gateway_resolvers resolvers;
    resolv_parse(files[_i].text, &resolvers);
    uint32_t n = 0;
    for (; files[_i].addresses[n]; n++) {
        char shown[INET6_ADDRSTRLEN] = "";
        ck_assert_uint_lt(n, resolvers.n);
        const struct sockaddr_storage *address = &resolvers.addresses[n];
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
        ck_assert_int_eq(ntohs(v4->sin_port), 53);
        ck_assert_ptr_nonnull(address->ss_family == AF_INET
                                  ? inet_ntop(AF_INET, &v4->sin_addr, shown, sizeof shown)
                                  : inet_ntop(AF_INET6, &v6->sin6_addr, shown, sizeof shown));
        ck_assert_str_eq(shown, files[_i].addresses[n]);
    }
    ck_assert_uint_eq(resolvers.n, n);
}
END_TEST

static const struct {
    const char *text;
    uint32_t scope;
} zones[] = {
    {"nameserver fe80::1%lo", 1}, /* the loopback's number in every network namespace */
    {"nameserver fe80::1%7", 7},  {"nameserver fe80::1%7x", 0},
    {"nameserver fe80::1%", 0},   {"nameserver fe80::1", 0},
};

START_TEST(a_zone_is_a_name_or_a_number)
{
    struct gateway_resolvers resolvers;
    struct sockaddr_in6 v6;
    resolv_parse(zones[_i].text, &resolvers);
    ck_assert_uint_eq(resolvers.n, 1);
    memcpy(&v6, &resolvers.addresses[0], sizeof v6);
    ck_assert_uint_eq(v6.sin6_scope_id, zones[_i].scope);
}
END_TEST

static const struct {
    const char *text;
    uint32_t timeout_s;
} timeouts[] = {
    {"nameserver 192.0.2.1\n", 0},
    {"options timeout:2\n", 2},
    {"options ndots:2 timeout:3 attempts:1 # slow\n", 3},
    {"options\ttimeout:1\nnameserver 192.0.2.1\noptions edns0\noptions timeout:4\n", 4},
    {"options timeout:31", 30},
    {"options timeout:0", 0},
    {"options timeout:", 0},
    {"options timeout", 0},
    {"options notimeout:3", 0},
    {"options # timeout:3", 0},
    {" options timeout:3", 0},
    {"search timeout:3", 0},
};

START_TEST(takes_the_timeout)
{
    struct gateway_resolvers resolvers;
    resolv_parse(timeouts[_i].text, &resolvers);
    ck_assert_uint_eq(resolvers.timeout_s, timeouts[_i].timeout_s);
}
END_TEST

START_TEST(child_has_all_of_its_servers)
{
    const char dns[][INET6_ADDRSTRLEN] = {"10.0.2.3", "fd00::3"};
    char text[512];
    ck_assert_int_gt(resolv_for_child("nameserver 192.0.2.1\nsearch a", dns, 2, text, sizeof text),
                     0);
    ck_assert_str_eq(text, "nameserver 10.0.2.3\nnameserver fd00::3\nsearch a\n");
}
END_TEST

START_TEST(child_keeps_search_and_options)
{
    const char dns[][INET6_ADDRSTRLEN] = {"10.0.2.3"};
    char text[512];
    int n = resolv_for_child("# made by hand\nnameserver 192.0.2.1\nsearch example.org\n"
                             "options ndots:2\nnameserver 2001:db8::1",
                             dns, 1, text, sizeof text);
    ck_assert_int_eq(n, (int)strlen(text));
    ck_assert_str_eq(text, "nameserver 10.0.2.3\nsearch example.org\noptions ndots:2\n");
}
END_TEST

START_TEST(too_long_is_refused)
{
    char text[32];
    ck_assert_int_lt(resolv_for_child("search a-name-that-is-rather-long.example\n",
                                      &(const char[INET6_ADDRSTRLEN]){"0.0.0.0"}, 1, text,
                                      sizeof text),
                     0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resolv");
    TCase *cases = tcase_create("resolv");
    tcase_add_loop_test(cases, takes_the_nameservers, 0, sizeof files / sizeof files[0]);
    tcase_add_loop_test(cases, a_zone_is_a_name_or_a_number, 0, sizeof zones / sizeof zones[0]);
    tcase_add_loop_test(cases, takes_the_timeout, 0, sizeof timeouts / sizeof timeouts[0]);
    tcase_add_test(cases, child_has_all_of_its_servers);
    tcase_add_test(cases, child_keeps_search_and_options);
    tcase_add_test(cases, too_long_is_refused);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
