#include "rootlesskit/handover/diag.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/net/address.h"
#include "rootlesskit/handover/place.h"

#define READ_SIZE 32768 /* netlink's largest part of a dump */
#define INODES_MAX 65536

int diag_open(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    return fd < 0 ? -errno : fd;
}

struct request {
    struct nlmsghdr header;
    struct inet_diag_req_v2 body;
};

static int ask(int fd, const struct request *request)
{
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    ssize_t n =
        sendto(fd, request, sizeof *request, 0, (const struct sockaddr *)&kernel, sizeof kernel);
    return n < 0 ? -errno : 0;
}

static void fill_address(struct inet_diag_sockid *id, const struct sockaddr_storage *at)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)at;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)at;
    if (at->ss_family == AF_INET)
        id->idiag_src[0] = v4->sin_addr.s_addr;
    else
        memcpy(id->idiag_src, &v6->sin6_addr, sizeof v6->sin6_addr);
    id->idiag_sport = v4->sin_port; /* at the same place in both */
    id->idiag_cookie[0] = id->idiag_cookie[1] = INET_DIAG_NOCOOKIE;
}

int diag_listener(int fd, const struct sockaddr_storage *at, uint32_t *ret)
{
    char answer[READ_SIZE];
    struct request request = {
        .header = {.nlmsg_len = sizeof request,
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST},
        .body = {.sdiag_family = (uint8_t)at->ss_family, .sdiag_protocol = IPPROTO_TCP},
    };
    fill_address(&request.body.id, at);
    int r = ask(fd, &request);
    ssize_t n = r < 0 ? r : recv(fd, answer, sizeof answer, 0);
    if (n < 0)
        return r < 0 ? r : -errno;
    const struct nlmsghdr *message = (const struct nlmsghdr *)(const void *)answer;
    if (!mnl_nlmsg_ok(message, (int)n))
        return -EPROTO;
    if (message->nlmsg_type == NLMSG_ERROR)
        return ((const struct nlmsgerr *)mnl_nlmsg_get_payload(message))->error;
    if (ret)
        *ret = ((const struct inet_diag_msg *)mnl_nlmsg_get_payload(message))->idiag_inode;
    return 0;
}

struct found {
    const struct port_place *place;
    struct in6_addr ip; /* its, and its port */
    uint16_t port;
    uint32_t *inodes;
    size_t n;
};

static struct in6_addr address_of(const struct inet_diag_msg *body)
{
    const struct in_addr v4 = {.s_addr = body->id.idiag_src[0]};
    struct in6_addr ip;
    memcpy(&ip, body->id.idiag_src, sizeof ip);
    return body->idiag_family == AF_INET ? address_map(v4) : ip;
}

/* What is bound to every address has connections at each. */
static bool is_there(const struct found *found, const struct in6_addr *ip)
{
    return address_is_any(&found->ip) ? place_takes(found->place, address_family(ip))
                                      : address_equal(ip, &found->ip);
}

static int keep(const struct nlmsghdr *message, void *arg)
{
    struct found *found = arg;
    const struct inet_diag_msg *body = mnl_nlmsg_get_payload(message);
    const struct in6_addr ip = address_of(body);
    if (ntohs(body->id.idiag_sport) == found->port && is_there(found, &ip) &&
        body->idiag_inode != 0 && found->n < INODES_MAX)
        found->inodes[found->n++] = body->idiag_inode;
    return MNL_CB_OK;
}

static int dump(int fd, uint8_t family, uint32_t states, struct found *found)
{
    char part[READ_SIZE];
    const struct request request = {
        .header = {.nlmsg_len = sizeof request,
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .body = {.sdiag_family = family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = states},
    };
    int r = ask(fd, &request);
    while (r >= 0) {
        ssize_t n = recv(fd, part, sizeof part, 0);
        r = n < 0 ? -errno : mnl_cb_run(part, (size_t)n, 0, 0, keep, found);
        if (r == MNL_CB_STOP)
            return 0;
    }
    return r;
}

ssize_t diag_sockets(int fd, const struct port_place *place, bool connected, uint32_t **ret)
{
    const uint32_t states = connected ? UINT32_MAX : 1U << TCP_LISTEN;
    struct found found = {.place = place, .inodes = calloc(INODES_MAX, sizeof(uint32_t))};
    if (!found.inodes)
        return -ENOMEM;
    found.port = address_of_socket(&place->address, &found.ip);
    int r = dump(fd, AF_INET, states, &found);
    if (r >= 0)
        r = dump(fd, AF_INET6, states, &found);
    if (r < 0) {
        free(found.inodes);
        return -EIO;
    }
    *ret = found.inodes;
    return (ssize_t)found.n;
}
