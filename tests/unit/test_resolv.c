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
    {"", {NULL}},
};

START_TEST(takes_the_nameservers)
{
    struct resolvers resolvers;
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

START_TEST(child_keeps_search_and_options)
{
    struct in_addr dns = {.s_addr = htonl(0x0a000203)};
    char text[512];
    int n = resolv_for_child("# made by hand\nnameserver 192.0.2.1\nsearch example.org\n"
                             "options ndots:2\nnameserver 2001:db8::1",
                             &dns, 1, text, sizeof text);
    ck_assert_int_eq(n, (int)strlen(text));
    ck_assert_str_eq(text, "nameserver 10.0.2.3\nsearch example.org\noptions ndots:2\n");
}
END_TEST

START_TEST(too_long_is_refused)
{
    char text[32];
    ck_assert_int_lt(resolv_for_child("search a-name-that-is-rather-long.example\n",
                                      &(struct in_addr){0}, 1, text, sizeof text),
                     0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resolv");
    TCase *cases = tcase_create("resolv");
    tcase_add_loop_test(cases, takes_the_nameservers, 0, sizeof files / sizeof files[0]);
    tcase_add_test(cases, child_keeps_search_and_options);
    tcase_add_test(cases, too_long_is_refused);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
