#include "tests/unit/tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <string.h>

#include "rootlesskit/gateway/flow.h"
#include "rootlesskit/gateway/packet.h"

/* 10.0.2.100:40000 -> 192.0.2.1:80, SYN, seq 0x01020304, no options, checksums right. */
static const uint8_t syn[] = {
    0x45, 0x00, 0x00, 0x28, 0x00, 0x00, 0x40, 0x00, 0x40, 0x06, 0x00, 0x00, 0x0a, 0x00,
    0x02, 0x64, 0xc0, 0x00, 0x02, 0x01, 0x9c, 0x40, 0x00, 0x50, 0x01, 0x02, 0x03, 0x04,
    0x00, 0x00, 0x00, 0x00, 0x50, 0x02, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
};

START_TEST(reads_a_syn)
{
    struct packet packet = packet_parse(syn, sizeof syn);
    ck_assert_int_eq(packet.kind, PACKET_SYN);
    ck_assert_uint_eq(packet.tuple.source.s_addr, inet_addr("10.0.2.100"));
    ck_assert_uint_eq(packet.tuple.dest.s_addr, inet_addr("192.0.2.1"));
    ck_assert_uint_eq(packet.tuple.source_port, 40000);
    ck_assert_uint_eq(packet.tuple.dest_port, 80);
    ck_assert_uint_eq(packet.seq, 0x01020304);
}
END_TEST

static const struct {
    size_t at;
    uint8_t value;
    size_t len;
    enum packet_kind kind;
} changes[] = {
    {0, 0x65, sizeof syn, PACKET_BAD},  /* IPv6 */
    {0, 0x4f, sizeof syn, PACKET_BAD},  /* header longer than the packet */
    {0, 0x44, sizeof syn, PACKET_BAD},  /* header too short */
    {3, 0x29, sizeof syn, PACKET_BAD},  /* says one byte more than there is */
    {3, 0x13, sizeof syn, PACKET_BAD},  /* ends within its own header */
    {7, 0x01, sizeof syn, PACKET_BAD},  /* a later fragment */
    {32, 0x60, sizeof syn, PACKET_BAD}, /* TCP options that are not there */
    {32, 0x40, sizeof syn, PACKET_BAD}, /* TCP header too short */
    {33, 0x12, sizeof syn, PACKET_TCP}, /* SYN-ACK */
    {33, 0x10, sizeof syn, PACKET_TCP}, /* ACK */
    {9, IPPROTO_UDP, sizeof syn, PACKET_OTHER},
    {9, IPPROTO_ICMP, sizeof syn, PACKET_ICMP_ERR}, /* type 0x9c */
    {0, 0x45, 19, PACKET_BAD},
    {0, 0x45, 0, PACKET_BAD},
};

START_TEST(classifies)
{
    uint8_t data[sizeof syn];
    memcpy(data, syn, sizeof data);
    data[changes[_i].at] = changes[_i].value;
    ck_assert_int_eq(packet_parse(data, changes[_i].len).kind, changes[_i].kind);
}
END_TEST

START_TEST(a_syn_with_data_is_dropped)
{
    uint8_t data[sizeof syn + 4] = {0};
    memcpy(data, syn, sizeof syn);
    data[3] = sizeof data;
    ck_assert_int_eq(packet_parse(data, sizeof data).kind, PACKET_BAD);
}
END_TEST

static uint16_t tcp_sum(const uint8_t *data, size_t len)
{
    uint32_t pseudo = IPPROTO_TCP + (uint32_t)(len - 20);
    for (int i = 12; i < 20; i += 2)
        pseudo += (uint32_t)(data[i] << 8 | data[i + 1]);
    return packet_checksum(data + 20, len - 20, pseudo);
}

START_TEST(resets_what_was_refused)
{
    uint8_t answer[PACKET_ANSWER_MAX];
    struct packet packet = packet_parse(syn, sizeof syn);
    size_t n = packet_make_reset(&packet, answer);
    struct tcphdr tcp;
    ck_assert_uint_eq(n, 40);
    memcpy(&tcp, answer + 20, sizeof tcp);
    ck_assert_uint_eq(packet_checksum(answer, 20, 0), 0);
    ck_assert_uint_eq(tcp_sum(answer, n), 0);
    ck_assert(tcp.rst && tcp.ack && !tcp.syn);
    ck_assert_uint_eq(ntohl(tcp.ack_seq), 0x01020305);
    ck_assert_uint_eq(ntohs(tcp.source), 80);
    ck_assert_uint_eq(ntohs(tcp.dest), 40000);
    ck_assert_int_eq(memcmp(answer + 12, syn + 16, 4), 0);
    ck_assert_int_eq(memcmp(answer + 16, syn + 12, 4), 0);
}
END_TEST

START_TEST(unreachable_quotes_the_packet)
{
    uint8_t answer[PACKET_ANSWER_MAX];
    struct in_addr from = {.s_addr = inet_addr("10.0.2.2")};
    size_t n = packet_make_unreachable(syn, sizeof syn, from, ICMP_HOST_UNREACH, answer);
    ck_assert_uint_eq(n, 20 + 8 + 20 + 8);
    ck_assert_uint_eq(packet_checksum(answer, 20, 0), 0);
    ck_assert_uint_eq(packet_checksum(answer + 20, n - 20, 0), 0);
    ck_assert_uint_eq(answer[20], ICMP_DEST_UNREACH);
    ck_assert_uint_eq(answer[21], ICMP_HOST_UNREACH);
    ck_assert_int_eq(memcmp(answer + 28, syn, 28), 0);
    ck_assert_int_eq(memcmp(answer + 16, syn + 12, 4), 0);
}
END_TEST

static const struct {
    const char *dest;
    bool host_loopback;
    const char *goes_to; /* NULL: refused */
} destinations[] = {
    {"192.0.2.1", false, "192.0.2.1"}, {"10.0.2.2", true, "127.0.0.1"}, {"10.0.2.2", false, NULL},
    {"127.0.0.1", true, NULL},         {"127.8.0.1", true, NULL},       {"0.0.0.0", true, NULL},
    {"10.0.2.7", true, NULL},          {"10.0.3.7", true, "10.0.3.7"},  {"224.0.0.1", true, NULL},
    {"255.255.255.255", true, NULL},
};

START_TEST(destination_policy)
{
    struct flow_policy policy = {
        .gateway_ip.s_addr = inet_addr("10.0.2.2"),
        .network.s_addr = inet_addr("10.0.2.0"),
        .mask.s_addr = inet_addr("255.255.255.0"),
        .host_loopback = destinations[_i].host_loopback,
    };
    struct in_addr dest = {.s_addr = inet_addr(destinations[_i].dest)}, to;
    int r = flow_destination(&policy, dest, &to);
    if (destinations[_i].goes_to) {
        ck_assert_int_eq(r, 0);
        ck_assert_str_eq(inet_ntoa(to), destinations[_i].goes_to);
    } else {
        ck_assert_int_eq(r, -EACCES);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("packet");
    TCase *cases = tcase_create("packet");
    tcase_add_test(cases, reads_a_syn);
    tcase_add_loop_test(cases, classifies, 0, sizeof changes / sizeof changes[0]);
    tcase_add_test(cases, a_syn_with_data_is_dropped);
    tcase_add_test(cases, resets_what_was_refused);
    tcase_add_test(cases, unreachable_quotes_the_packet);
    tcase_add_loop_test(cases, destination_policy, 0, sizeof destinations / sizeof destinations[0]);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
