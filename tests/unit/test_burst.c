#include "tests/unit/tap.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/fd.h"
#include "rootlesskit/gateway/burst.h"

#define ROW_MAX 8

static const struct {
    const char *name;
    size_t sizes[ROW_MAX]; /* as they are sent, ended by END */
} rows[] = {
#define END SIZE_MAX
    {"one", {100, END}},
    {"an empty one", {0, END}},
    {"the largest", {65507, END}},
    {"equal ones", {100, 100, 100, 100, END}},
    {"the last is shorter", {100, 100, 50, END}},
    {"a shorter one in between", {100, 50, 100, END}},
    {"a longer one behind", {100, 100, 101, END}},
    {"empty ones among others", {100, 0, 100, 0, END}},
    {"all empty", {0, 0, 0, END}},
    {"of a frame", {1472, 1472, 1472, END}},
    {"longer than a frame", {1473, 1473, 9000, 9000, END}},
    {"large ones", {30000, 30000, 30000, END}},
};

/* A bound socket on 127.0.0.1 that tells where datagrams were sent to. */
static int open_socket(struct sockaddr_in *ret)
{
    const int on = 1;
    socklen_t len = sizeof *ret;
    struct timeval patience = {.tv_sec = 2};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    *ret = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on), 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)ret, sizeof *ret), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)ret, &len), 0);
    return fd;
}

static const unsigned char *content(unsigned number)
{
    static unsigned char data[65536];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 7 + i / 251 + number);
    return data;
}

static void expect(int fd, unsigned number, size_t size)
{
    static unsigned char data[65536];
    ssize_t n = recv(fd, data, sizeof data, 0);
    ck_assert_int_eq(n, (ssize_t)size);
    ck_assert(memcmp(data, content(number), size) == 0);
}

START_TEST(datagrams_arrive_as_they_were_sent)
{
    struct sockaddr_in in_address, out_address, from_address;
    cleanup_close int in = open_socket(&in_address), out = open_socket(&out_address),
                      from = open_socket(&from_address);
    struct burst *burst = burst_new();
    uint8_t which[BURST_MAX];
    unsigned n = 0;
    ck_assert(burst != NULL);
    for (; rows[_i].sizes[n] != END; n++) {
        ck_assert(sendto(from, content(n), rows[_i].sizes[n], 0,
                         (const struct sockaddr *)&in_address, sizeof in_address) >= 0);
        which[n] = (uint8_t)n;
    }
    ck_assert_int_eq(burst_receive(burst, in), (int)n);
    for (unsigned i = 0; i < n; i++) {
        const struct burst_piece *piece = burst_piece(burst, i);
        const uint8_t local[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1};
        ck_assert_uint_eq(piece->len, rows[_i].sizes[i]);
        ck_assert_uint_eq(piece->segment, 0);
        ck_assert_uint_eq(piece->from.v4.sin_port, from_address.sin_port);
        ck_assert(memcmp(&piece->local, local, sizeof local) == 0);
    }
    struct burst_route route = {.to.v4 = out_address, .to_len = sizeof out_address};
    route.local = burst_piece(burst, 0)->local;
    burst_send(burst, in, &route, which, n);
    for (unsigned i = 0; i < n; i++)
        expect(out, i, rows[_i].sizes[i]);
    ck_assert_int_eq(burst_receive(burst, in), -EAGAIN);
}
END_TEST

START_TEST(several_in_one_are_sent_as_several)
{
    struct sockaddr_in in_address, out_address, from_address;
    cleanup_close int in = open_socket(&in_address), out = open_socket(&out_address),
                      from = open_socket(&from_address);
    struct burst *burst = burst_new();
    const int segment = 500;
    const uint8_t first = 0;
    ck_assert(burst != NULL);
    burst_prepare(in, AF_INET);
    if (setsockopt(from, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment) < 0) {
        printf("# not tried: no UDP_SEGMENT here\n");
        return;
    }
    ck_assert_int_eq(
        sendto(from, content(0), 1200, 0, (const struct sockaddr *)&in_address, sizeof in_address),
        1200);
    ck_assert_int_eq(burst_receive(burst, in), 1);
    ck_assert_uint_eq(burst_piece(burst, 0)->len, 1200);
    ck_assert_uint_eq(burst_piece(burst, 0)->segment, 500);
    struct burst_route route = {.to.v4 = out_address, .to_len = sizeof out_address};
    burst_send(burst, in, &route, &first, 1);
    unsigned char data[2000];
    ck_assert_int_eq(recv(out, data, sizeof data, 0), 500);
    ck_assert_int_eq(recv(out, data + 500, sizeof data - 500, 0), 500);
    ck_assert_int_eq(recv(out, data + 1000, sizeof data - 1000, 0), 200);
    ck_assert(memcmp(data, content(0), 1200) == 0);
}
END_TEST

START_TEST(an_old_error_costs_no_datagram)
{
    struct sockaddr_in in_address, out_address, from_address;
    cleanup_close int in = open_socket(&in_address), from = open_socket(&from_address);
    int out = open_socket(&out_address);
    struct burst *burst = burst_new();
    const struct burst_route connected = {0};
    const uint8_t first = 0;
    ck_assert(burst != NULL);
    cleanup_close int to = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(to, (const struct sockaddr *)&out_address, sizeof out_address), 0);
    fd_close(out);
    ck_assert_int_eq(send(to, "x", 1, 0), 1); /* answered by an ICMP error, kept for later */
    out = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(out, (const struct sockaddr *)&out_address, sizeof out_address), 0);
    ck_assert(sendto(from, content(0), 9, 0, (const struct sockaddr *)&in_address,
                     sizeof in_address) == 9);
    ck_assert_int_eq(burst_receive(burst, in), 1);
    burst_send(burst, to, &connected, &first, 1);
    expect(out, 0, 9);
    fd_close(out);
}
END_TEST

START_TEST(hop_limits_are_told_and_set)
{
    struct sockaddr_in in_address, out_address, from_address;
    cleanup_close int in = open_socket(&in_address), out = open_socket(&out_address),
                      from = open_socket(&from_address);
    struct burst *burst = burst_new();
    const uint8_t first = 0;
    const int hops = 7;
    ck_assert(burst != NULL);
    burst_want_heads(in, AF_INET);
    burst_want_heads(out, AF_INET);
    ck_assert_int_eq(setsockopt(from, IPPROTO_IP, IP_TTL, &hops, sizeof hops), 0);
    ck_assert_int_eq(
        sendto(from, content(0), 9, 0, (const struct sockaddr *)&in_address, sizeof in_address), 9);
    ck_assert_int_eq(burst_receive(burst, in), 1);
    ck_assert_uint_eq(burst_piece(burst, 0)->hops, 7);
    ck_assert_uint_eq(burst_piece(burst, 0)->local_port, ntohs(in_address.sin_port));
    ck_assert(!burst_piece(burst, 0)->fragmented);
    struct burst_route route = {.to.v4 = out_address, .to_len = sizeof out_address, .hops = 6};
    ck_assert_uint_eq(burst_send(burst, in, &route, &first, 1), 0);
    ck_assert_int_eq(burst_receive(burst, out), 1);
    ck_assert_uint_eq(burst_piece(burst, 0)->hops, 6);
}
END_TEST

/* Each datagram keeps its own. */
START_TEST(the_type_of_service_is_kept)
{
    static const int tos[] = {0, 0, 0xb8, 0xb8, 0x02, 0xb9};
    static const uint8_t which[] = {0, 1, 2, 3, 4, 5};
    struct sockaddr_in in_address, out_address, from_address;
    cleanup_close int in = open_socket(&in_address), out = open_socket(&out_address),
                      from = open_socket(&from_address);
    struct burst *burst = burst_new();
    unsigned n = sizeof which, seen = 0;
    ck_assert(burst != NULL);
    burst_prepare(in, AF_INET);
    burst_prepare(out, AF_INET);
    for (unsigned i = 0; i < n; i++) {
        ck_assert_int_eq(setsockopt(from, IPPROTO_IP, IP_TOS, &tos[i], sizeof tos[i]), 0);
        ck_assert_int_eq(
            sendto(from, content(i), 9, 0, (const struct sockaddr *)&in_address, sizeof in_address),
            9);
    }
    ck_assert_int_eq(burst_receive(burst, in), (int)n);
    for (unsigned i = 0; i < n; i++)
        ck_assert_uint_eq(burst_piece(burst, i)->tos, (unsigned)tos[i]);
    const struct burst_route route = {.to.v4 = out_address, .to_len = sizeof out_address};
    ck_assert_uint_eq(burst_send(burst, in, &route, which, n), 0);
    int pieces = burst_receive(burst, out);
    ck_assert_int_ge(pieces, 4);
    for (unsigned i = 0; i < (unsigned)pieces; i++) {
        const struct burst_piece *piece = burst_piece(burst, i);
        for (size_t k = 0; k * 9 < piece->len; k++)
            ck_assert_uint_eq(piece->tos, (unsigned)tos[seen++]);
    }
    ck_assert_uint_eq(seen, n);
}
END_TEST

START_TEST(what_is_refused_is_said)
{
    struct sockaddr_in in_address, from_address;
    cleanup_close int in = open_socket(&in_address), from = open_socket(&from_address);
    struct burst *burst = burst_new();
    const uint8_t which[] = {0, 1, 2};
    ck_assert(burst != NULL);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq(
            sendto(from, content(i), 9, 0, (const struct sockaddr *)&in_address, sizeof in_address),
            9);
    ck_assert_int_eq(burst_receive(burst, in), 3);
    struct burst_route route = {.to.v4 = from_address, .to_len = sizeof from_address};
    route.to.v4.sin_addr.s_addr = htonl(INADDR_BROADCAST);
    ck_assert_uint_eq(burst_send(burst, in, &route, which, 3), 3);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(burst_refusal(burst, i)->piece, i);
        ck_assert_int_eq(burst_refusal(burst, i)->code, -EACCES);
    }
    route.to.v4 = from_address;
    ck_assert_uint_eq(burst_send(burst, in, &route, which, 3), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("burst");
    TCase *cases = tcase_create("burst");
    tcase_add_loop_test(cases, datagrams_arrive_as_they_were_sent, 0, sizeof rows / sizeof rows[0]);
    tcase_add_test(cases, several_in_one_are_sent_as_several);
    tcase_add_test(cases, an_old_error_costs_no_datagram);
    tcase_add_test(cases, hop_limits_are_told_and_set);
    tcase_add_test(cases, the_type_of_service_is_kept);
    tcase_add_test(cases, what_is_refused_is_said);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
