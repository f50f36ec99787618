/* What outbound datagrams are decided by: addresses, hop limits, the order of use, echo requests.
 */
#include "tests/unit/tap.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "lib/net/address.h"
#include "rootlesskit/gateway/hops.h"
#include "rootlesskit/gateway/many.h"
#include "rootlesskit/gateway/packet.h"
#include "rootlesskit/gateway/ping.h"
#include "rootlesskit/gateway/policy.h"
#include "rootlesskit/gateway/recent.h"

static struct in6_addr ip(const char *text)
{
    struct in6_addr v6;
    struct in_addr v4;
    if (inet_pton(AF_INET, text, &v4) == 1)
        return address_map(v4);
    ck_assert_int_eq(inet_pton(AF_INET6, text, &v6), 1);
    return v6;
}

static const struct {
    const char *address;
    bool many;
} addresses[] = {
    {"10.0.2.255", true},      {"10.0.2.254", false}, {"10.0.3.255", false}, {"224.0.0.1", true},
    {"255.255.255.255", true}, {"223.1.2.3", false},  {"ff02::1", true},     {"fe80::1", false},
};

START_TEST(what_means_many_hosts)
{
    struct policy policy = {.v4 = {.network = ip("10.0.2.0"), .prefix = 96 + 24}};
    struct in6_addr address = ip(addresses[_i].address);
    ck_assert_int_eq(many_hosts(&policy, &address), addresses[_i].many);
}
END_TEST

START_TEST(a_network_of_one_has_no_broadcast)
{
    struct policy policy = {.v4 = {.network = ip("10.0.2.255"), .prefix = 128}};
    struct in6_addr address = ip("10.0.2.255");
    ck_assert(!many_hosts(&policy, &address));
}
END_TEST

START_TEST(hop_limits)
{
    static const uint8_t rows[][2] = {{0, 0},  {1, 0},  {2, 1},   {30, 29},   {56, 55},
                                      {57, 0}, {64, 0}, {65, 64}, {128, 127}, {255, 254}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ck_assert_msg(hops_onward(rows[i][0]) == rows[i][1], "of %u", rows[i][0]);
}
END_TEST

static struct recent_link links[3];
static bool busy[3];

static bool is_busy(struct recent_link *link)
{
    return busy[link - links];
}

static struct recent make_list(void)
{
    struct recent list = {0};
    for (int i = 0; i < 3; i++) {
        busy[i] = false;
        recent_add(&list, &links[i], i);
    }
    return list;
}

START_TEST(the_order_of_use)
{
    struct recent list = make_list();
    ck_assert_ptr_eq(recent_idle(&list, 10, is_busy, 10), &links[0]);
    ck_assert_ptr_null(recent_idle(&list, 11, is_busy, 10));
    recent_touch(&list, &links[0], 5);
    ck_assert_ptr_eq(recent_idle(&list, 1, is_busy, 5), &links[1]);
    recent_remove(&list, &links[1]);
    ck_assert_ptr_eq(list.oldest, &links[2]);
    recent_remove(&list, &links[0]);
    recent_remove(&list, &links[2]);
    ck_assert_ptr_null(list.oldest);
    ck_assert_ptr_null(list.newest);
    ck_assert_ptr_null(recent_idle(&list, 1, is_busy, 5));
    ck_assert_ptr_null(recent_spare(&list, is_busy, 5));
}
END_TEST

START_TEST(busy_ones_are_passed_over)
{
    struct recent list = make_list();
    busy[0] = busy[1] = true;
    ck_assert_ptr_eq(recent_spare(&list, is_busy, 10), &links[2]);
    ck_assert_int_eq(links[0].used_ms, 10);
    busy[0] = busy[1] = false;
    ck_assert_ptr_eq(recent_spare(&list, is_busy, 11), &links[2]);
    busy[2] = true;
    ck_assert_ptr_eq(recent_idle(&list, 5, is_busy, 15), &links[0]);
    ck_assert_ptr_null(recent_idle(&list, 6, is_busy, 15));
}
END_TEST

START_TEST(where_all_are_busy_one_has_to_do)
{
    struct recent list = make_list();
    busy[0] = busy[1] = busy[2] = true;
    ck_assert_ptr_eq(recent_spare(&list, is_busy, 10), &links[0]);
    ck_assert_ptr_null(recent_idle(&list, 1, is_busy, 20));
}
END_TEST

/* An echo request from 10.0.2.100 to 1.2.3.4, TOS 0xb8, TTL 9, DF, id 0x1234, 4 bytes of data. */
static size_t make_request(unsigned char *packet)
{
    static const unsigned char request[] = {0x45, 0xb8, 0,    32,   0,   0, 0x40, 0,   9,   1,  0,
                                            0,    10,   0,    2,    100, 1, 2,    3,   4,   8,  0,
                                            0,    0,    0x12, 0x34, 0,   7, 'd',  'a', 't', 'a'};
    memcpy(packet, request, sizeof request);
    uint16_t sum = packet_checksum(packet + 20, 12, 0);
    memcpy(packet + 22, &sum, sizeof sum);
    return sizeof request;
}

START_TEST(an_echo_request_is_read)
{
    unsigned char packet[64];
    size_t len = make_request(packet);
    struct in6_addr child = ip("10.0.2.100"), dest = ip("1.2.3.4");
    struct ping ping;
    ck_assert(ping_read_v4(packet, len, &ping));
    ck_assert(address_equal(&ping.child, &child) && address_equal(&ping.dest, &dest));
    ck_assert_uint_eq(ping.id, 0x1234);
    ck_assert_uint_eq(ping.tos, 0xb8);
    ck_assert_uint_eq(ping.hops, 9);
    ck_assert_uint_eq(ping.len, 12);
    ck_assert(ping.whole && ping.message == packet + 20);
    ping_make_reply(ping.message, true, 0x5678);
    ck_assert(memcmp(ping.message, "\0\0\0\0\x56\x78\0\7data", 12) == 0);
}
END_TEST

START_TEST(what_is_no_echo_request_is_not)
{
    unsigned char packet[64];
    size_t len = make_request(packet);
    struct ping ping;
    for (size_t cut = 0; cut < len; cut++)
        ck_assert_msg(!ping_read_v4(packet, cut, &ping), "cut to %zu", cut);
    for (size_t i = 20; i < len; i++) {
        packet[i] ^= 1; /* damaged */
        ck_assert_msg(!ping_read_v4(packet, len, &ping), "byte %zu", i);
        packet[i] ^= 1;
    }
    packet[0] = 0x44; /* a header that is too short */
    ck_assert(!ping_read_v4(packet, len, &ping));
    packet[0] = 0x65;
    ck_assert(!ping_read_v4(packet, len, &ping));
    ck_assert(!ping_read_v6((unsigned char *)(uintptr_t) "\x80\0\0\0\0\1\0", 7, &ping));
    ck_assert(ping_read_v6((unsigned char *)(uintptr_t) "\x80\0\0\0\0\1\0\0", 8, &ping));
    ck_assert(!ping_read_v6((unsigned char *)(uintptr_t) "\x81\0\0\0\0\1\0\0", 8, &ping));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("outbound");
    TCase *cases = tcase_create("outbound");
    tcase_add_loop_test(cases, what_means_many_hosts, 0, sizeof addresses / sizeof addresses[0]);
    tcase_add_test(cases, a_network_of_one_has_no_broadcast);
    tcase_add_test(cases, hop_limits);
    tcase_add_test(cases, the_order_of_use);
    tcase_add_test(cases, busy_ones_are_passed_over);
    tcase_add_test(cases, where_all_are_busy_one_has_to_do);
    tcase_add_test(cases, an_echo_request_is_read);
    tcase_add_test(cases, what_is_no_echo_request_is_not);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
