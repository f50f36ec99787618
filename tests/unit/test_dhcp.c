#include "tests/unit/tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "rootlesskit/gateway/packet.h"
#include "rootlesskit/network/dhcp.h"

#define HEADERS 28 /* IPv4 and UDP */
#define OPTIONS (HEADERS + 240)

static const struct dhcp_client_id id = {{2, 1, 2, 3, 4, 5}, 0x11223344};

/* An answer with the given options, of what a server must put in nothing else. */
static size_t answer(uint8_t *packet, const uint8_t *options, size_t len)
{
    size_t total = OPTIONS + len;
    memset(packet, 0, total);
    packet[0] = 0x45;
    packet[2] = (uint8_t)(total >> 8);
    packet[3] = (uint8_t)total;
    packet[8] = 64;
    packet[9] = IPPROTO_UDP;
    packet[21] = DHCP_SERVER_PORT;
    packet[23] = DHCP_CLIENT_PORT;
    packet[24] = (uint8_t)((total - 20) >> 8);
    packet[25] = (uint8_t)(total - 20);
    uint8_t *bootp = packet + HEADERS;
    bootp[0] = 2;
    bootp[1] = 1;
    bootp[2] = 6;
    memcpy(bootp + 4, &id.xid, 4);
    memcpy(bootp + 16, (const uint8_t[]){10, 99, 0, 77}, 4);
    memcpy(bootp + 28, id.mac, 6);
    memcpy(bootp + 236, (const uint8_t[]){99, 130, 83, 99}, 4);
    memcpy(packet + OPTIONS, options, len);
    return total;
}

static const uint8_t whole[] = {
    53,  1,  5,                                                        /* ACK */
    0,   54, 4,   10,  99,  0,   1,                                    /* a pad; server */
    1,   4,  255, 255, 254, 0,                                         /* mask */
    3,   8,  10,  99,  0,   1,   10, 99, 0, 2,                         /* two routers */
    6,   16, 10,  99,  0,   1,   1,  1,  1, 1, 2, 2, 2, 2, 3, 3, 3, 3, /* four name servers */
    51,  4,  0,   0,   0,   100,                                       /* lease */
    58,  4,  0,   0,   0,   40,                                        /* renew */
    255,
};

START_TEST(reads_a_lease)
{
    uint8_t packet[DHCP_IN_MAX];
    struct dhcp_lease lease;
    size_t len = answer(packet, whole, sizeof whole);
    ck_assert_int_eq(dhcp_parse(packet, len, &id, &lease), DHCP_ACK);
    ck_assert_uint_eq(lease.ip.s_addr, inet_addr("10.99.0.77"));
    ck_assert_uint_eq(lease.server.s_addr, inet_addr("10.99.0.1"));
    ck_assert_uint_eq(lease.router.s_addr, inet_addr("10.99.0.1"));
    ck_assert_uint_eq(lease.prefix, 23);
    ck_assert_uint_eq(lease.n_dns, 3);
    ck_assert_uint_eq(lease.dns[2].s_addr, inet_addr("2.2.2.2"));
    ck_assert_uint_eq(lease.lease_s, 100);
    ck_assert_uint_eq(lease.renew_s, 40);
}
END_TEST

START_TEST(refuses_a_cut_one)
{
    uint8_t packet[DHCP_IN_MAX];
    struct dhcp_lease lease;
    size_t len = answer(packet, whole, sizeof whole);
    for (size_t n = 0; n < len; n++)
        ck_assert_int_eq(dhcp_parse(packet, n, &id, &lease), -EBADMSG);
}
END_TEST

static const struct {
    size_t at;
    uint8_t value;
} wrong[] = {
    {0, 0x65},           /* IPv6 */
    {0, 0x44},           /* header too short */
    {6, 0x20},           /* a fragment */
    {9, IPPROTO_TCP},    /* TCP */
    {21, 66},            /* from another port */
    {23, 67},            /* to another port */
    {24, 0xff},          /* longer than its packet */
    {HEADERS, 1},        /* a question */
    {HEADERS + 4, 0},    /* another exchange */
    {HEADERS + 16, 127}, /* the loopback's address */
    {HEADERS + 16, 224}, /* a group's */
    {HEADERS + 28, 3},   /* for another client */
    {HEADERS + 236, 0},  /* BOOTP */
    {OPTIONS + 2, 3},    /* not a server's message */
    {OPTIONS + 1, 200},  /* an option longer than the message */
    {OPTIONS + 6, 0},    /* a server without an address */
    {OPTIONS, 255},      /* no option at all */
};

START_TEST(refuses_what_is_not_for_us)
{
    uint8_t packet[DHCP_IN_MAX];
    struct dhcp_lease lease;
    size_t len = answer(packet, whole, sizeof whole);
    packet[wrong[_i].at] = wrong[_i].value;
    ck_assert_int_eq(dhcp_parse(packet, len, &id, &lease), -EBADMSG);
}
END_TEST

START_TEST(puts_defaults_for_nonsense)
{
    static const uint8_t options[] = {
        53, 1, 2,   54,  4,   10,  99,  0, 1, /* OFFER */
        1,  4, 255, 0,   255, 0,              /* no mask */
        3,  2, 10,  99,                       /* cut router */
        58, 4, 255, 255, 255, 255,            /* renewed after the end */
        51, 4, 0,   0,   0,   1,   255,
    };
    uint8_t packet[DHCP_IN_MAX];
    struct dhcp_lease lease;
    size_t len = answer(packet, options, sizeof options);
    ck_assert_int_eq(dhcp_parse(packet, len, &id, &lease), DHCP_OFFER);
    ck_assert_uint_eq(lease.prefix, 24);
    ck_assert_uint_eq(lease.router.s_addr, 0);
    ck_assert_uint_eq(lease.n_dns, 0);
    ck_assert_uint_eq(lease.lease_s, 1);
    ck_assert_uint_eq(lease.renew_s, 1);
}
END_TEST

START_TEST(a_refusal_needs_no_address)
{
    static const uint8_t options[] = {53, 1, 6, 255};
    uint8_t packet[DHCP_IN_MAX];
    struct dhcp_lease lease;
    size_t len = answer(packet, options, sizeof options);
    ck_assert_int_eq(dhcp_parse(packet, len, &id, &lease), DHCP_NAK);
}
END_TEST

START_TEST(makes_whole_packets)
{
    struct dhcp_lease lease = {.ip.s_addr = inet_addr("10.99.0.77"),
                               .server.s_addr = inet_addr("10.99.0.1")};
    const struct dhcp_lease *held = _i == 0 ? NULL : &lease;
    uint8_t packet[DHCP_OUT_MAX];
    size_t len = dhcp_make(&id, held, _i == 2, packet);
    ck_assert_uint_eq((size_t)(packet[2] << 8 | packet[3]), len);
    ck_assert_uint_eq(packet_checksum(packet, 20, 0), 0);
    ck_assert_uint_eq(packet[OPTIONS + 2], _i == 0 ? DHCP_DISCOVER : DHCP_REQUEST);
    ck_assert_int_eq(memcmp(packet + HEADERS + 28, id.mac, 6), 0);
    ck_assert_int_eq(
        memcmp(packet + HEADERS + 12, _i == 2 ? (const void *)&lease.ip : "\0\0\0\0", 4), 0);
    /* The offer's address and server, which a renewal must not name. */
    ck_assert_uint_eq(packet[OPTIONS + 12], _i == 1 ? 50 : 55);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dhcp");
    TCase *tests = tcase_create("dhcp");
    tcase_add_test(tests, reads_a_lease);
    tcase_add_test(tests, refuses_a_cut_one);
    tcase_add_loop_test(tests, refuses_what_is_not_for_us, 0, sizeof wrong / sizeof wrong[0]);
    tcase_add_test(tests, puts_defaults_for_nonsense);
    tcase_add_test(tests, a_refusal_needs_no_address);
    tcase_add_loop_test(tests, makes_whole_packets, 0, 3);
    suite_add_tcase(suite, tests);
    return tap_run(suite);
}
