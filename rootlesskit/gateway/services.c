#include "rootlesskit/gateway/services.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/net/address.h"
#include "rootlesskit/gateway/table.h"

#define PORTS 65536
/* The kernel's LOOPBACK_IFINDEX, in every network namespace. */
#define LOOPBACK_IFINDEX 1

struct services_socket {
    struct in6_addr address;
    uint32_t next; /* 1 + index of another one of the port, 0 = none */
    uint16_t port;
    bool stream;
    bool both; /* one of :: that takes IPv4 too */
};

int services_open(struct services *services, struct err *err)
{
    *services = (struct services){.fd = -EBADF};
    services->sockets = table_reserve(SERVICES_MAX * sizeof *services->sockets);
    services->first = table_reserve(PORTS * sizeof *services->first);
    if (!services->sockets || !services->first)
        return err_set(err, ENOMEM, "no memory for the child's sockets");
    services->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);
    return services->fd < 0 ? err_sys(err, errno, "cannot open a socket for socket diagnostics")
                            : 0;
}

static void forget_all(struct services *services)
{
    for (uint32_t i = 0; i < services->n; i++)
        services->first[services->sockets[i].port] = 0;
    services->n = 0;
    services->whole[0] = services->whole[1] = false;
}

static int ask(struct services *services, uint8_t family, bool stream)
{
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 body;
    } request = {
        .header = {.nlmsg_len = sizeof request,
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                   .nlmsg_seq = ++services->seq},
        .body = {.sdiag_family = family,
                 .sdiag_protocol = stream ? IPPROTO_TCP : IPPROTO_UDP,
                 .idiag_states = 1U << (stream ? TCP_LISTEN : TCP_CLOSE)},
    };
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t n = sendto(services->fd, &request, sizeof request, 0, (const struct sockaddr *)&kernel,
                       sizeof kernel);
    return n < 0 ? -errno : 0;
}

static int find_v6only(const struct nlattr *attr, void *both)
{
    if (mnl_attr_get_type(attr) == INET_DIAG_SKV6ONLY)
        *(bool *)both = mnl_attr_get_u8(attr) == 0;
    return MNL_CB_OK;
}

/* The kernel says so of every IPv6 socket that listens or is unconnected. */
static bool takes_ipv4(const struct nlmsghdr *message)
{
    bool both = false;
    (void)mnl_attr_parse(message, sizeof(struct inet_diag_msg), find_v6only, &both);
    return both;
}

static void keep(struct services *services, const struct nlmsghdr *message, bool stream)
{
    const struct inet_diag_msg *body = mnl_nlmsg_get_payload(message);
    struct in_addr v4 = {.s_addr = body->id.idiag_src[0]};
    struct services_socket *socket = &services->sockets[services->n];
    if (body->id.idiag_if != 0 && body->id.idiag_if != LOOPBACK_IFINDEX)
        return;
    if (services->n == SERVICES_MAX) {
        services->whole[stream] = false;
        return;
    }
    *socket = (struct services_socket){.port = ntohs(body->id.idiag_sport), .stream = stream};
    if (body->idiag_family == AF_INET)
        socket->address = address_map(v4);
    else
        memcpy(&socket->address, body->id.idiag_src, sizeof socket->address);
    socket->both = IN6_IS_ADDR_UNSPECIFIED(&socket->address) && takes_ipv4(message);
    socket->next = services->first[socket->port];
    services->first[socket->port] = ++services->n;
}

/* @return 1 at the end of the dump, 0 when there is more, or -errno */
static int take(struct services *services, const struct nlmsghdr *message, bool stream)
{
    if (message->nlmsg_seq != services->seq)
        return 0;
    switch (message->nlmsg_type) {
    case NLMSG_DONE:
        return 1;
    case NLMSG_ERROR:
        if (mnl_nlmsg_get_payload_len(message) < sizeof(struct nlmsgerr))
            return -EPROTO;
        return ((const struct nlmsgerr *)mnl_nlmsg_get_payload(message))->error;
    case SOCK_DIAG_BY_FAMILY:
        if (mnl_nlmsg_get_payload_len(message) >= sizeof(struct inet_diag_msg))
            keep(services, message, stream);
        return 0;
    default:
        return 0;
    }
}

/* The kernel has each part of a dump ready when it is asked for: nothing to wait for. Root of the
 * namespace may send us messages too: they are not from port 0. */
static int read_dump(struct services *services, bool stream, void *buffer, size_t size)
{
    for (;;) {
        struct sockaddr_nl from = {0};
        socklen_t from_len = sizeof from;
        ssize_t n = recvfrom(services->fd, buffer, size, 0, (struct sockaddr *)&from, &from_len);
        if (n < 0)
            return -errno;
        if (from.nl_pid != 0)
            continue;
        int left = (int)n, r = 0;
        for (const struct nlmsghdr *message = buffer; r == 0 && mnl_nlmsg_ok(message, left);
             message = mnl_nlmsg_next(message, &left))
            r = take(services, message, stream);
        if (r != 0)
            return r < 0 ? r : 0;
    }
}

static int look_at(struct services *services, bool stream, void *buffer, size_t size)
{
    static const uint8_t families[] = {AF_INET, AF_INET6};
    int r = 0;
    services->whole[stream] = true;
    for (size_t i = 0; i < sizeof families && r >= 0; i++) {
        r = ask(services, families[i], stream);
        if (r >= 0)
            r = read_dump(services, stream, buffer, size);
    }
    if (r < 0)
        services->whole[stream] = false;
    return r;
}

int services_look(struct services *services, unsigned types, void *buffer, size_t size)
{
    int r = 0, r_datagram = 0;
    forget_all(services);
    if (services->fd < 0)
        return -EBADF;
    if (types & (1U << SOCK_STREAM))
        r = look_at(services, true, buffer, size);
    if (types & (1U << SOCK_DGRAM))
        r_datagram = look_at(services, false, buffer, size);
    return r < 0 ? r : r_datagram;
}

static bool serves(const struct in6_addr *bound, bool both, const struct in6_addr *address)
{
    int family = address_family(address);
    if (address_is_any(bound))
        return address_family(bound) == family || (both && family == AF_INET);
    return address_equal(bound, address);
}

/* Whoever connects to an unspecified address gets the loopback's (ip(7)). */
static void specify(struct in6_addr *address)
{
    if (address_is_any(address))
        *address = address_loopback(address_family(address));
}

bool services_serves(const struct in6_addr *address, bool both,
                     const struct sockaddr_storage *target)
{
    struct in6_addr wanted;
    (void)address_of_socket(target, &wanted);
    specify(&wanted);
    return serves(address, both, &wanted);
}

enum services_state services_of(const struct services *services, int type,
                                const struct sockaddr_storage *target)
{
    struct in6_addr address;
    bool stream = type == SOCK_STREAM;
    uint16_t port = address_of_socket(target, &address);
    if (services->fd < 0)
        return SERVICES_UNKNOWN;
    specify(&address);
    for (uint32_t i = services->first[port]; i != 0; i = services->sockets[i - 1].next)
        if (services->sockets[i - 1].stream == stream &&
            serves(&services->sockets[i - 1].address, services->sockets[i - 1].both, &address))
            return SERVICES_SERVED;
    return services->whole[stream] && address_is_loopback(&address) ? SERVICES_NONE
                                                                    : SERVICES_UNKNOWN;
}
