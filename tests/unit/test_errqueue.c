#include "tests/unit/tap.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/fd.h"
#include "lib/net/address.h"
#include "rootlesskit/gateway/errqueue.h"

#define NOTHING (-1)

static const struct {
    uint8_t origin, type, code;
    uint32_t number; /* errno */
    int reason;
} rows[] = {
    {SO_EE_ORIGIN_ICMP, ICMP_DEST_UNREACH, ICMP_NET_UNREACH, ENETUNREACH, ICMP_NO_ROUTE},
    {SO_EE_ORIGIN_ICMP, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, EHOSTUNREACH, ICMP_NO_HOST},
    {SO_EE_ORIGIN_ICMP, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, ENOPROTOOPT, ICMP_NO_PROTOCOL},
    {SO_EE_ORIGIN_ICMP, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, ECONNREFUSED, ICMP_NO_PORT},
    {SO_EE_ORIGIN_ICMP, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, EMSGSIZE, ICMP_TOO_BIG},
    {SO_EE_ORIGIN_ICMP, ICMP_DEST_UNREACH, ICMP_PKT_FILTERED, EHOSTUNREACH, ICMP_PROHIBITED},
    {SO_EE_ORIGIN_ICMP, ICMP_DEST_UNREACH, 15, EHOSTUNREACH, ICMP_PROHIBITED},
    {SO_EE_ORIGIN_ICMP, ICMP_DEST_UNREACH, 16, EHOSTUNREACH, NOTHING},
    {SO_EE_ORIGIN_ICMP, ICMP_DEST_UNREACH, 255, EHOSTUNREACH, NOTHING},
    {SO_EE_ORIGIN_ICMP, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, EHOSTUNREACH, ICMP_TIME_OVER},
    {SO_EE_ORIGIN_ICMP, ICMP_TIME_EXCEEDED, ICMP_EXC_FRAGTIME, EHOSTUNREACH, NOTHING},
    {SO_EE_ORIGIN_ICMP, ICMP_PARAMETERPROB, 0, EPROTO, NOTHING},
    {SO_EE_ORIGIN_ICMP, ICMP_SOURCE_QUENCH, 0, 0, NOTHING},
    {SO_EE_ORIGIN_ICMP6, ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOROUTE, ENETUNREACH, ICMP_NO_ROUTE},
    {SO_EE_ORIGIN_ICMP6, ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_ADMIN, EACCES, ICMP_PROHIBITED},
    {SO_EE_ORIGIN_ICMP6, ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_BEYONDSCOPE, EHOSTUNREACH,
     ICMP_NO_ROUTE},
    {SO_EE_ORIGIN_ICMP6, ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_ADDR, EHOSTUNREACH, ICMP_NO_HOST},
    {SO_EE_ORIGIN_ICMP6, ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOPORT, ECONNREFUSED, ICMP_NO_PORT},
    {SO_EE_ORIGIN_ICMP6, ICMP6_PACKET_TOO_BIG, 0, EMSGSIZE, ICMP_TOO_BIG},
    {SO_EE_ORIGIN_ICMP6, ICMP6_TIME_EXCEEDED, ICMP6_TIME_EXCEED_TRANSIT, EHOSTUNREACH,
     ICMP_TIME_OVER},
    {SO_EE_ORIGIN_ICMP6, ICMP6_TIME_EXCEEDED, ICMP6_TIME_EXCEED_REASSEMBLY, EHOSTUNREACH, NOTHING},
    {SO_EE_ORIGIN_ICMP6, ICMP6_PARAM_PROB, ICMP6_PARAMPROB_NEXTHEADER, EPROTO, ICMP_NO_PROTOCOL},
    {SO_EE_ORIGIN_ICMP6, ICMP6_PARAM_PROB, ICMP6_PARAMPROB_HEADER, EPROTO, NOTHING},
    {SO_EE_ORIGIN_LOCAL, 0, 0, EMSGSIZE, ICMP_TOO_BIG},
    {SO_EE_ORIGIN_LOCAL, 0, 0, ENOBUFS, NOTHING},
    {SO_EE_ORIGIN_TIMESTAMPING, 0, 0, ENOMSG, NOTHING},
};

union control {
    struct cmsghdr align;
    char space[128];
};

/* As the kernel lays it out: the error, then who reported it. */
static void put(struct msghdr *msg, union control *control, const struct sock_extended_err *error,
                const struct sockaddr_in *offender)
{
    struct cmsghdr *c = &control->align;
    size_t len = sizeof *error + sizeof *offender;
    *msg = (struct msghdr){.msg_control = control, .msg_controllen = CMSG_SPACE(len)};
    *c = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(len), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_RECVERR};
    memcpy(CMSG_DATA(c), error, sizeof *error);
    memcpy(CMSG_DATA(c) + sizeof *error, offender, sizeof *offender);
}

START_TEST(an_error_has_its_reason)
{
    struct sockaddr_in dest = {.sin_family = AF_INET, .sin_port = htons(53)}, router = dest;
    struct sock_extended_err error = {.ee_origin = rows[_i].origin,
                                      .ee_type = rows[_i].type,
                                      .ee_code = rows[_i].code,
                                      .ee_errno = rows[_i].number,
                                      .ee_info = 1400};
    struct errqueue_error got;
    union control control = {0};
    struct msghdr msg;
    dest.sin_addr.s_addr = htonl(0x01020304);
    router.sin_addr.s_addr = htonl(0x05060708);
    put(&msg, &control, &error, &router);
    msg.msg_name = &dest;
    msg.msg_namelen = sizeof dest;
    bool told = errqueue_parse(&msg, 0, &got);
    ck_assert_int_eq(told, rows[_i].reason != NOTHING);
    if (!told)
        return;
    const struct in6_addr want_dest = address_map(dest.sin_addr),
                          want_offender = address_map(router.sin_addr);
    ck_assert_int_eq((int)got.reason, rows[_i].reason);
    ck_assert_uint_eq(got.mtu, 1400);
    ck_assert_uint_eq(got.port, 53);
    ck_assert_int_eq(got.local, rows[_i].origin == SO_EE_ORIGIN_LOCAL);
    ck_assert(address_equal(&got.dest, &want_dest));
    ck_assert(address_equal(&got.offender, &want_offender));
}
END_TEST

/* As the kernel really does. */
START_TEST(a_closed_port_is_told)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    struct errqueue_error error;
    int other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(other, (const struct sockaddr *)&address, len), 0);
    ck_assert_int_eq(getsockname(other, (struct sockaddr *)&address, &len), 0);
    ck_assert_int_eq(errqueue_enable(fd, AF_INET), 0);
    ck_assert(!errqueue_next(fd, &error));
    fd_close(other);
    ck_assert_int_eq(
        sendto(fd, "0123456789", 10, 0, (const struct sockaddr *)&address, sizeof address), 10);
    const struct in6_addr loopback = address_map(address.sin_addr);
    ck_assert(errqueue_next(fd, &error));
    ck_assert_int_eq((int)error.reason, (int)ICMP_NO_PORT);
    ck_assert(!error.local);
    ck_assert_uint_eq(error.port, ntohs(address.sin_port));
    ck_assert(address_equal(&error.dest, &loopback) && address_equal(&error.offender, &loopback));
    ck_assert(error.head_len == ERRQUEUE_HEAD && memcmp(error.head, "01234567", 8) == 0);
    ck_assert(!errqueue_next(fd, &error));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("errqueue");
    TCase *cases = tcase_create("errqueue");
    tcase_add_loop_test(cases, an_error_has_its_reason, 0, sizeof rows / sizeof rows[0]);
    tcase_add_test(cases, a_closed_port_is_told);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
