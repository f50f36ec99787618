#include "tests/unit/tap.h"

#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <string.h>

#include "lib/net/address.h"
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
    ck_assert(address_is_v4(&packet.tuple.source));
    ck_assert_uint_eq(address_v4(&packet.tuple.source).s_addr, inet_addr("10.0.2.100"));
    ck_assert_uint_eq(address_v4(&packet.tuple.dest).s_addr, inet_addr("192.0.2.1"));
    ck_assert_uint_eq(packet.tuple.source_port, 40000);
    ck_assert_uint_eq(packet.tuple.dest_port, 80);
    ck_assert_uint_eq(packet.seq, 0x01020304);
    ck_assert_uint_eq(packet.tos, 0);
}
END_TEST

static void read_tos(const uint8_t *packet, size_t len, uint8_t first, uint8_t second, uint8_t tos)
{
    uint8_t data[64];
    memcpy(data, packet, len);
    data[0] = first;
    data[1] = second;
    ck_assert_uint_eq(packet_parse(data, len).tos, tos);
}

static const struct {
    size_t at;
    uint8_t value;
    size_t len;
    enum packet_kind kind;
} changes[] = {
    {0, 0x75, sizeof syn, PACKET_BAD},  /* IPv7 */
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
    {9, IPPROTO_ICMP, sizeof syn, PACKET_ICMP},
    {0, 0x45, 19, PACKET_BAD},
    {0, 0x45, 0, PACKET_BAD},
};

START_TEST(knows_a_datagram)
{
    uint8_t v4[sizeof syn], v6[48] = {0x60};
    memcpy(v4, syn, sizeof v4);
    ck_assert(!packet_is_datagram(v4, sizeof v4));
    v4[9] = IPPROTO_UDP;
    ck_assert(packet_is_datagram(v4, sizeof v4));
    v4[7] = 1; /* a later fragment */
    ck_assert(packet_is_datagram(v4, sizeof v4));
    ck_assert(!packet_is_datagram(v4, 19));
    ck_assert(!packet_is_datagram(v6, sizeof v6));
    v6[6] = IPPROTO_UDP;
    ck_assert(packet_is_datagram(v6, sizeof v6));
    v6[6] = IPPROTO_FRAGMENT;
    ck_assert(!packet_is_datagram(v6, sizeof v6));
    v6[40] = IPPROTO_UDP;
    ck_assert(packet_is_datagram(v6, sizeof v6));
    ck_assert(!packet_is_datagram(v6, 47));
}
END_TEST

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
    uint8_t answer[PACKET_RESET_MAX];
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

/* fd72:6b69:74::100 port 40000 -> 2001:db8::1 port 80. */
static const uint8_t syn6[] = {
    0x60, 0x00, 0x00, 0x00, 0x00, 0x14, 0x06, 0x40, 0xfd, 0x72, 0x6b, 0x69, 0x00, 0x74, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x20, 0x01, 0x0d, 0xb8, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x9c, 0x40, 0x00, 0x50, 0x01,
    0x02, 0x03, 0x04, 0x00, 0x00, 0x00, 0x00, 0x50, 0x02, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
};

START_TEST(reads_a_syn_of_ipv6)
{
    struct packet packet = packet_parse(syn6, sizeof syn6);
    ck_assert_int_eq(packet.kind, PACKET_SYN);
    ck_assert_int_eq(memcmp(&packet.tuple.source, syn6 + 8, 16), 0);
    ck_assert_int_eq(memcmp(&packet.tuple.dest, syn6 + 24, 16), 0);
    ck_assert_uint_eq(packet.tuple.source_port, 40000);
    ck_assert_uint_eq(packet.tuple.dest_port, 80);
}
END_TEST

START_TEST(reads_the_type_of_service)
{
    read_tos(syn, sizeof syn, 0x45, 0xb8, 0xb8);
    read_tos(syn6, sizeof syn6, 0x6b, 0x8f, 0xb8); /* and a flow label */
}
END_TEST

static const struct {
    size_t at;
    uint8_t value;
    size_t len;
    enum packet_kind kind;
} changes6[] = {
    {0, 0x70, sizeof syn6, PACKET_BAD},   /* IPv7 */
    {5, 0x15, sizeof syn6, PACKET_BAD},   /* says one byte more than there is */
    {5, 0x10, sizeof syn6, PACKET_BAD},   /* ends within the TCP header */
    {6, 0x2c, sizeof syn6, PACKET_OTHER}, /* a fragment */
    {6, 0x00, sizeof syn6, PACKET_OTHER}, /* hop-by-hop options */
    {6, IPPROTO_ICMPV6, sizeof syn6, PACKET_ICMP},
    {53, 0x12, sizeof syn6, PACKET_TCP}, /* SYN-ACK */
    {0, 0x60, 39, PACKET_BAD},
};

START_TEST(classifies_ipv6)
{
    uint8_t data[sizeof syn6];
    memcpy(data, syn6, sizeof data);
    data[changes6[_i].at] = changes6[_i].value;
    ck_assert_int_eq(packet_parse(data, changes6[_i].len).kind, changes6[_i].kind);
}
END_TEST

START_TEST(a_mapped_address_is_no_ipv6_packet)
{
    uint8_t data[sizeof syn6];
    struct in6_addr mapped = {.s6_addr = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}};
    memcpy(data, syn6, sizeof data);
    memcpy(data + 24, &mapped, sizeof mapped);
    ck_assert_int_eq(packet_parse(data, sizeof data).kind, PACKET_BAD);
}
END_TEST

START_TEST(resets_what_was_refused_by_ipv6)
{
    uint8_t answer[PACKET_RESET_MAX];
    struct packet packet = packet_parse(syn6, sizeof syn6);
    size_t n = packet_make_reset(&packet, answer);
    uint32_t pseudo = IPPROTO_TCP + 20;
    for (int i = 8; i < 40; i += 2)
        pseudo += (uint32_t)(answer[i] << 8 | answer[i + 1]);
    ck_assert_uint_eq(n, 60);
    ck_assert_uint_eq(packet_checksum(answer + 40, 20, pseudo), 0);
    ck_assert_int_eq(memcmp(answer + 8, syn6 + 24, 16), 0);
    ck_assert_int_eq(memcmp(answer + 24, syn6 + 8, 16), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("packet");
    TCase *cases = tcase_create("packet");
    tcase_add_test(cases, reads_a_syn);
    tcase_add_test(cases, knows_a_datagram);
    tcase_add_loop_test(cases, classifies, 0, sizeof changes / sizeof changes[0]);
    tcase_add_test(cases, a_syn_with_data_is_dropped);
    tcase_add_test(cases, resets_what_was_refused);
    tcase_add_test(cases, reads_a_syn_of_ipv6);
    tcase_add_test(cases, reads_the_type_of_service);
    tcase_add_loop_test(cases, classifies_ipv6, 0, sizeof changes6 / sizeof changes6[0]);
    tcase_add_test(cases, a_mapped_address_is_no_ipv6_packet);
    tcase_add_test(cases, resets_what_was_refused_by_ipv6);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
