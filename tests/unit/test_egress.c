#include "tests/unit/tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/net/address.h"
#include "rootlesskit/gateway/egress.h"

static struct in6_addr address(const char *text)
{
    struct in6_addr v6;
    struct in_addr v4;
    if (inet_pton(AF_INET, text, &v4) == 1)
        return address_map(v4);
    ck_assert_int_eq(inet_pton(AF_INET6, text, &v6), 1);
    return v6;
}

static const struct {
    const char *text, *network;
    uint8_t prefix;
    struct port_range ports[4]; /* ended by 0 */
} good[] = {
    {"10.0.0.0/8", "10.0.0.0", 96 + 8, {{0}}},
    {"10.0.0.0/8:80,443,8000-8100", "10.0.0.0", 96 + 8, {{80, 80}, {443, 443}, {8000, 8100}}},
    {"192.0.2.1", "192.0.2.1", 128, {{0}}},
    {"192.0.2.1:1-65535", "192.0.2.1", 128, {{1, 65535}}},
    {"0.0.0.0/0:53", "0.0.0.0", 96, {{53, 53}}},
    {"[2001:db8::]/32:443", "2001:db8::", 32, {{443, 443}}},
    {"2001:db8::/32:443", "2001:db8::", 32, {{443, 443}}},
    {"2001:db8::/32", "2001:db8::", 32, {{0}}},
    {"[2001:db8::]/32", "2001:db8::", 32, {{0}}},
    {"[2001:db8::1]:80-90", "2001:db8::1", 128, {{80, 90}}},
    {"2001:db8::1", "2001:db8::1", 128, {{0}}},
    {"2001:db8::1:443", "2001:db8::1:443", 128, {{0}}},
    {"[::1]", "::1", 128, {{0}}},
    {"::/0", "::", 0, {{0}}},
    {"[10.0.0.0]/8:1", "10.0.0.0", 96 + 8, {{1, 1}}},
};

START_TEST(good_rules_are_read)
{
    static struct egress rules;
    struct err err = {0};
    struct in6_addr network = address(good[_i].network);
    ck_assert_msg(egress_add(&rules, good[_i].text, false, &err) == 0, "%s", err.msg);
    ck_assert_uint_eq(rules.n, 1);
    ck_assert_uint_eq(rules.n_allow, 1);
    const struct egress_rule *rule = &rules.items[0];
    ck_assert_mem_eq(&rule->network, &network, sizeof network);
    ck_assert_uint_eq(rule->prefix, good[_i].prefix);
    unsigned n = 0;
    for (; n < 4 && good[_i].ports[n].first; n++) {
        ck_assert_uint_eq(rule->ports[n].first, good[_i].ports[n].first);
        ck_assert_uint_eq(rule->ports[n].last, good[_i].ports[n].last);
    }
    ck_assert_uint_eq(rule->n_ports, n);
}
END_TEST

START_TEST(a_value_may_hold_several)
{
    static struct egress rules;
    ck_assert_int_eq(egress_add(&rules, "10.0.0.0/8:80,443,192.0.2.1,[::1]:1-2,3,::/0", true, NULL),
                     0);
    ck_assert_uint_eq(rules.n, 4);
    ck_assert_uint_eq(rules.n_allow, 0);
    ck_assert_uint_eq(rules.items[0].n_ports, 2);
    ck_assert_uint_eq(rules.items[1].n_ports, 0);
    ck_assert_uint_eq(rules.items[2].n_ports, 2);
    ck_assert_uint_eq(rules.items[3].n_ports, 0);
}
END_TEST

static const struct {
    const char *text, *said;
} bad[] = {
    {"", "no IPv4 or IPv6 address"},
    {"host.example", "no IPv4 or IPv6 address"},
    {"10.0.0/8", "\"10.0.0\" is no IPv4 or IPv6 address"},
    {"443", "\"443\" is no IPv4 or IPv6 address"},
    {"10.0.0.0/8,443", "\"443\" is no IPv4 or IPv6 address"},
    {"10.0.0.0/8,", "no IPv4 or IPv6 address"},
    {"10.0.0.0/8:80,", "a port is a number"},
    {"10.0.0.1/8", "10.0.0.0/8,"},
    {"10.0.0.1/0", "0.0.0.0/0,"},
    {"2001:db8::1/64", "2001:db8::/64,"},
    {"10.0.0.0/33", "of IPv4 is from 0 to 32"},
    {"10.0.0.0/", "of IPv4 is from 0 to 32"},
    {"10.0.0.0/-1", "of IPv4 is from 0 to 32"},
    {"2001:db8::/129", "of IPv6 is from 0 to 128"},
    {"10.0.0.0/8 ", "of the form"},
    {"10.0.0.0/8:80 ", "of the form"},
    {"10.0.0.0/8:80:90", "of the form"},
    {"10.0.0.0/8/8", "of the form"},
    {"10.0.0.0/8:", "a port is a number"},
    {"10.0.0.0/8:0", "a port is a number"},
    {"10.0.0.0/8:65536", "a port is a number"},
    {"10.0.0.0/8:80-", "a port is a number"},
    {"10.0.0.0/8:-80", "a port is a number"},
    {"10.0.0.0/8:90-80", "90-80"},
    {"10.0.0.0/8:http", "a port is a number"},
    {"[2001:db8::/32", "no ]"},
    {"[2001:db8::/32]:443", "no IPv4 or IPv6 address"},
    {"[2001:db8::]443", "of the form"},
    {"fe80::1%eth0", "no IPv4 or IPv6 address"},
    {"::ffff:10.0.0.0/104", "is the IPv4 address 10.0.0.0"},
    {"[::ffff:10.0.0.1]:80", "is the IPv4 address 10.0.0.1"},
    {"10.0.0.0/8,192.168.0.1/16", "192.168.0.0/16,"},
    {"1.1.1.1:1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,"
     "31,32,33",
     "up to 32 ports"},
};

START_TEST(bad_rules_are_refused)
{
    static struct egress rules;
    struct err err = {0};
    ck_assert_int_lt(egress_add(&rules, bad[_i].text, false, &err), 0);
    ck_assert_msg(strstr(err.msg, bad[_i].said) != NULL, "%s", err.msg);
    ck_assert_msg(strstr(err.msg, bad[_i].text) != NULL, "%s", err.msg);
    ck_assert_uint_eq(rules.n, 0);
    ck_assert_uint_eq(rules.n_allow, 0);
}
END_TEST

START_TEST(rules_are_bounded)
{
    static struct egress rules;
    struct err err = {0};
    for (unsigned i = 0; i < EGRESS_RULES_MAX; i++)
        ck_assert_int_eq(egress_add(&rules, "192.0.2.1", true, &err), 0);
    ck_assert_int_eq(egress_add(&rules, "192.0.2.1", true, &err), -E2BIG);
    ck_assert_msg(strstr(err.msg, "more than 1024 rules") != NULL, "%s", err.msg);
    ck_assert_uint_eq(rules.n, EGRESS_RULES_MAX);
}
END_TEST

static const struct {
    const char *allow, *deny, *to;
    uint16_t port;
    bool permitted;
} judged[] = {
    {NULL, NULL, "192.0.2.1", 80, true},
    {NULL, "192.0.2.0/24", "192.0.2.1", 80, false},
    {NULL, "192.0.2.0/24", "192.0.2.1", 0, false},
    {NULL, "192.0.2.0/24", "192.0.3.1", 80, true},
    {NULL, "192.0.2.0/24:80", "192.0.2.1", 80, false},
    {NULL, "192.0.2.0/24:80", "192.0.2.1", 81, true},
    {NULL, "192.0.2.0/24:80", "192.0.2.1", 0, true},
    {NULL, "192.0.2.0/24:1-65535", "192.0.2.1", 0, true},
    {"192.0.2.0/24", NULL, "192.0.2.1", 80, true},
    {"192.0.2.0/24", NULL, "192.0.2.1", 0, true},
    {"192.0.2.0/24", NULL, "192.0.3.1", 80, false},
    {"192.0.2.0/24", NULL, "2001:db8::1", 80, false},
    {"192.0.2.0/24:443,8000-8100", NULL, "192.0.2.1", 443, true},
    {"192.0.2.0/24:443,8000-8100", NULL, "192.0.2.1", 7999, false},
    {"192.0.2.0/24:443,8000-8100", NULL, "192.0.2.1", 8000, true},
    {"192.0.2.0/24:443,8000-8100", NULL, "192.0.2.1", 8100, true},
    {"192.0.2.0/24:443,8000-8100", NULL, "192.0.2.1", 8101, false},
    {"192.0.2.0/24:443", NULL, "192.0.2.1", 0, false},
    {"192.0.2.0/24", "192.0.2.7", "192.0.2.7", 80, false},
    {"192.0.2.7", "192.0.2.0/24", "192.0.2.7", 80, false},
    {"192.0.2.0/24,2001:db8::/32", NULL, "2001:db8::1", 80, true},
    {"0.0.0.0/0", NULL, "2001:db8::1", 80, false},
    {"::/0", NULL, "192.0.2.1", 80, false},
    {NULL, "::/0", "192.0.2.1", 80, true},
    {NULL, "::/80", "192.0.2.1", 80, true},
    {NULL, "0.0.0.0/0", "2001:db8::1", 80, true},
    {NULL, "0.0.0.0/0", "255.255.255.254", 80, false},
    {NULL, "2001:db8:8000::/33", "2001:db8:8000::1", 80, false},
    {NULL, "2001:db8:8000::/33", "2001:db8:7fff::1", 80, true},
};

START_TEST(rules_judge)
{
    static struct egress rules;
    struct in6_addr to = address(judged[_i].to);
    if (judged[_i].allow)
        ck_assert_int_eq(egress_add(&rules, judged[_i].allow, false, NULL), 0);
    if (judged[_i].deny)
        ck_assert_int_eq(egress_add(&rules, judged[_i].deny, true, NULL), 0);
    ck_assert(egress_permits(&rules, &to, judged[_i].port) == judged[_i].permitted);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("egress");
    TCase *cases = tcase_create("egress");
    tcase_add_loop_test(cases, good_rules_are_read, 0, sizeof good / sizeof good[0]);
    tcase_add_test(cases, a_value_may_hold_several);
    tcase_add_loop_test(cases, bad_rules_are_refused, 0, sizeof bad / sizeof bad[0]);
    tcase_add_test(cases, rules_are_bounded);
    tcase_add_loop_test(cases, rules_judge, 0, sizeof judged / sizeof judged[0]);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
