#include "tests/unit/tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "lib/net/address.h"
#include "rootlesskit/gateway/policy.h"

static struct in6_addr address(const char *text)
{
    struct in6_addr v6;
    struct in_addr v4;
    if (inet_pton(AF_INET, text, &v4) == 1)
        return address_map(v4);
    ck_assert_int_eq(inet_pton(AF_INET6, text, &v6), 1);
    return v6;
}

static struct policy a_policy(bool host_loopback)
{
    return (struct policy){
        .v4 = {address("10.0.2.0"), 96 + 24, address("10.0.2.2"), address("10.0.2.3")},
        .v6 = {address("fd72:6b69:74::"), 64, address("fd72:6b69:74::2"),
               address("fd72:6b69:74::3")},
        .ipv6 = true,
        .host_loopback = host_loopback,
    };
}

static void same_address(const struct in6_addr *got, const char *want)
{
    struct in6_addr wanted = address(want);
    ck_assert_mem_eq(got, &wanted, sizeof wanted);
}

static const struct {
    const char *dest;
    bool host_loopback;
    const char *goes_to; /* NULL: refused */
} destinations[] = {
    {"192.0.2.1", false, "192.0.2.1"},
    {"10.0.2.2", true, "127.0.0.1"},
    {"10.0.2.2", false, NULL},
    {"10.0.2.3", true, NULL},
    {"127.0.0.1", true, NULL},
    {"127.8.0.1", true, NULL},
    {"0.0.0.0", true, NULL},
    {"10.0.2.7", true, NULL},
    {"10.0.3.7", true, "10.0.3.7"},
    {"224.0.0.1", true, NULL},
    {"255.255.255.255", true, NULL},
    {"2001:db8::1", false, "2001:db8::1"},
    {"fd72:6b69:74::2", true, "::1"},
    {"fd72:6b69:74::2", false, NULL},
    {"fd72:6b69:74::3", true, NULL},
    {"fd72:6b69:74:1::2", true, "fd72:6b69:74:1::2"},
    {"::", true, NULL},
    {"::1", true, NULL},
    {"::10.0.0.1", true, NULL},
    {"fe80::1", true, NULL},
    {"ff02::1", true, NULL},
    {"64:ff9b::192.0.2.1", true, "64:ff9b::192.0.2.1"},
    {"64:ff9b::127.0.0.1", true, NULL},
    {"2002:7f00:1::1", true, NULL},
    {"2002:c000:201::1", true, "2002:c000:201::1"},
};

START_TEST(destination_policy)
{
    struct policy policy = a_policy(destinations[_i].host_loopback);
    struct in6_addr dest = address(destinations[_i].dest), to;
    int r = policy_destination(&policy, &dest, 80, &to);
    ck_assert_int_eq(r, destinations[_i].goes_to ? 0 : -EACCES);
    if (destinations[_i].goes_to)
        same_address(&to, destinations[_i].goes_to);
}
END_TEST

START_TEST(without_ipv6_there_is_none)
{
    struct policy policy = a_policy(true);
    struct in6_addr dest = address("2001:db8::1"), to;
    policy.ipv6 = false;
    ck_assert_int_eq(policy_destination(&policy, &dest, 80, &to), -EACCES);
    ck_assert_int_eq(policy_origin(&policy, &dest, &to), -EACCES);
    ck_assert(!policy_dns(&policy, &policy.v6.dns));
}
END_TEST

static const struct {
    const char *from;
    bool host_loopback;
    const char *seen_as; /* NULL: not at all */
} origins[] = {
    {"192.0.2.1", false, "192.0.2.1"},    {"127.0.0.1", true, "10.0.2.2"},
    {"127.0.0.1", false, NULL},           {"127.0.0.53", true, "10.0.2.2"},
    {"::1", true, "fd72:6b69:74::2"},     {"::1", false, NULL},
    {"10.0.2.100", true, NULL},           {"fe80::1", true, NULL},
    {"2001:db8::1", true, "2001:db8::1"},
};

START_TEST(origin_policy)
{
    struct policy policy = a_policy(origins[_i].host_loopback);
    struct in6_addr from = address(origins[_i].from), to;
    int r = policy_origin(&policy, &from, &to);
    ck_assert_int_eq(r, origins[_i].seen_as ? 0 : -EACCES);
    if (origins[_i].seen_as)
        same_address(&to, origins[_i].seen_as);
}
END_TEST

static struct egress rules;

static struct policy with_rules(const char *allow, const char *deny)
{
    struct policy policy = a_policy(true);
    policy.egress = &rules;
    if (allow)
        ck_assert_int_eq(egress_add(&rules, allow, false, NULL), 0);
    if (deny)
        ck_assert_int_eq(egress_add(&rules, deny, true, NULL), 0);
    return policy;
}

static const struct {
    const char *allow, *deny, *dest;
    uint16_t port;
    bool reached;
} ruled[] = {
    /* what is dialled counts */
    {NULL, "127.0.0.1:5432", "10.0.2.2", 5432, false},
    {NULL, "127.0.0.1:5432", "10.0.2.2", 80, true},
    {NULL, "10.0.2.2", "10.0.2.2", 80, true},
    {NULL, "::1", "fd72:6b69:74::2", 80, false},
    {"192.0.2.0/24", NULL, "10.0.2.2", 80, false},
    {"192.0.2.0/24,127.0.0.1:80", NULL, "10.0.2.2", 80, true},
    {"192.0.2.0/24", NULL, "192.0.2.9", 80, true},
    {"192.0.2.0/24", NULL, "2001:db8::1", 80, false},
    /* rules open nothing that is shut without them */
    {"0.0.0.0/0,::/0", NULL, "127.0.0.1", 80, false},
    {"0.0.0.0/0,::/0", NULL, "::1", 80, false},
    {"0.0.0.0/0,::/0", NULL, "10.0.2.7", 80, false},
    /* an echo has no port */
    {"192.0.2.1:443", NULL, "192.0.2.1", 0, false},
    {NULL, "192.0.2.1:443", "192.0.2.1", 0, true},
    {NULL, "192.0.2.1", "192.0.2.1", 0, false},
    /* the IPv4 address in another spelling */
    {NULL, "10.0.0.0/8", "64:ff9b::10.0.0.1", 80, false},
    {NULL, "10.0.0.0/8", "64:ff9b::11.0.0.1", 80, true},
    {NULL, "10.0.0.0/8:80", "64:ff9b::10.0.0.1", 81, true},
    {NULL, "10.0.0.0/8", "2002:a01:203::1", 80, false},
    {NULL, "10.0.0.0/8", "2002:b01:203::1", 80, true},
    {NULL, "10.0.0.0/8", "2001:0:a01:203:0:ffff:3fff:fdfe", 80, false},
    {NULL, "192.0.2.1", "2001:0:c633:6401:0:ffff:3fff:fdfe", 80, false},
    {NULL, "198.51.100.1", "2001:0:c633:6401:0:ffff:3fff:fdfe", 80, false},
    {NULL, "198.51.100.2", "2001:0:c633:6401:0:ffff:3fff:fdfe", 80, true},
    {NULL, "10.0.0.0/8", "2001:db8:a01:203::1", 80, true},
    {"10.0.0.0/8", NULL, "64:ff9b::10.0.0.1", 80, false},
    {"64:ff9b::/96", NULL, "64:ff9b::10.0.0.1", 80, true},
};

START_TEST(rules_hold_for_destinations)
{
    struct policy policy = with_rules(ruled[_i].allow, ruled[_i].deny);
    struct in6_addr dest = address(ruled[_i].dest), to;
    int r = policy_destination(&policy, &dest, ruled[_i].port, &to);
    ck_assert_int_eq(r, ruled[_i].reached ? 0 : -EACCES);
}
END_TEST

START_TEST(rules_hold_for_who_speaks_first)
{
    struct policy policy = with_rules("192.0.2.0/24:53,127.0.0.1", "192.0.2.7");
    struct in6_addr asked = address("192.0.2.1"), denied = address("192.0.2.7");
    struct in6_addr loopback = address("127.0.0.1"), other = address("127.0.0.2");
    ck_assert(policy_permits(&policy, &asked, 53));
    ck_assert(!policy_permits(&policy, &asked, 54));
    ck_assert(!policy_permits(&policy, &denied, 53));
    ck_assert(policy_permits(&policy, &loopback, 9));
    ck_assert(!policy_permits(&policy, &other, 9));
    /* a router that tells an error is no less true for it */
    ck_assert_int_eq(policy_origin(&policy, &denied, &other), 0);
}
END_TEST

static const struct {
    const char *allow, *deny;
    bool v4, v6;
} relays[] = {
    {NULL, NULL, true, true},
    {"192.0.2.0/24", NULL, true, true},
    {"0.0.0.0/0", NULL, true, true},
    {NULL, "10.0.2.3", false, true},
    {NULL, "10.0.2.3:53", false, true},
    {NULL, "10.0.2.3:54", true, true},
    {NULL, "10.0.2.0/24", false, true},
    {NULL, "10.0.2.0/25", false, true},
    {NULL, "10.0.0.0/8", true, true},
    {NULL, "10.0.0.0/8:1-1024", false, true},
    {NULL, "0.0.0.0/0", false, true},
    {NULL, "0.0.0.0/0:53", false, true},
    {NULL, "0.0.0.0/0:80", true, true},
    {NULL, "192.0.2.0/24", true, true},
    {NULL, "fd72:6b69:74::3", true, false},
    {NULL, "fc00::/7", true, true},
    {NULL, "::/0", true, false},
    {NULL, "0.0.0.0/0:53,::/0:53", false, false},
    {"10.0.2.3", "10.0.2.3", false, true},
};

START_TEST(rules_about_the_dns_relay)
{
    struct policy policy = with_rules(relays[_i].allow, relays[_i].deny);
    ck_assert(policy_dns(&policy, &policy.v4.dns) == relays[_i].v4);
    ck_assert(policy_dns(&policy, &policy.v6.dns) == relays[_i].v6);
}
END_TEST

START_TEST(only_its_own_network_sends)
{
    struct policy policy = a_policy(true);
    struct in6_addr own = address("10.0.2.100"), own6 = address("fd72:6b69:74::100");
    struct in6_addr other = address("10.0.3.100"), other6 = address("2001:db8::1");
    ck_assert(policy_is_child(&policy, &own));
    ck_assert(policy_is_child(&policy, &own6));
    ck_assert(!policy_is_child(&policy, &other));
    ck_assert(!policy_is_child(&policy, &other6));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("policy");
    TCase *cases = tcase_create("policy");
    tcase_add_loop_test(cases, destination_policy, 0, sizeof destinations / sizeof destinations[0]);
    tcase_add_test(cases, without_ipv6_there_is_none);
    tcase_add_loop_test(cases, origin_policy, 0, sizeof origins / sizeof origins[0]);
    tcase_add_loop_test(cases, rules_hold_for_destinations, 0, sizeof ruled / sizeof ruled[0]);
    tcase_add_test(cases, rules_hold_for_who_speaks_first);
    tcase_add_loop_test(cases, rules_about_the_dns_relay, 0, sizeof relays / sizeof relays[0]);
    tcase_add_test(cases, only_its_own_network_sends);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
