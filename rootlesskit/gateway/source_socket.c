#include "rootlesskit/gateway/source_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>

#include "lib/base/fd.h"
#include "lib/net/address.h"
#include "rootlesskit/gateway/dial.h"
#include "rootlesskit/gateway/source_ip.h"

/* A link-local address means nothing in another namespace. */
static bool may_be_kept(const struct in6_addr *ip)
{
    return !address_is_loopback(ip) && !IN6_IS_ADDR_LINKLOCAL(ip);
}

/* A bind without a port, which takes none, succeeds for the namespace's own addresses alone. */
static bool is_own(int fd, const struct in6_addr *ip)
{
    const struct sockaddr_storage any_port = address_to_socket(ip, 0);
    const int on = 1;
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    return bind(fd, (const struct sockaddr *)&any_port, dial_length(&any_port)) == 0;
}

static uint16_t port_of(const struct sockaddr_storage *address)
{
    struct in6_addr any;
    return address_of_socket(address, &any);
}

static int bear(int fd, const struct sockaddr_storage *address)
{
    const int on = 1, off = 0, mark = SOURCE_IP_SOCKET_MARK;
    /* The client may use one port for two connections at a time, to two of ours. */
    const int reuse = port_of(address) != 0;
    bool v6 = address->ss_family == AF_INET6;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) < 0 ||
        setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, &on,
                   sizeof on) < 0 ||
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &off, sizeof off) < 0 ||
        bind(fd, (const struct sockaddr *)address, dial_length(address)) < 0)
        return -errno;
    return 0;
}

/* Whether a UDP service's answers reach the rules, and conntrack knows them without a map. */
static int check_way_back(int fd, const struct sockaddr_storage *client,
                          const struct sockaddr_storage *to, enum gateway_source_ip rules)
{
    const struct sockaddr_storage none = {.ss_family = AF_UNSPEC};
    struct sockaddr_storage from = {0};
    struct in6_addr answers, asked;
    socklen_t len = sizeof from;
    int r = dial_connect(fd, client);
    if (r < 0)
        return r;
    if (getsockname(fd, (struct sockaddr *)&from, &len) < 0 ||
        connect(fd, (const struct sockaddr *)&none, sizeof none) < 0)
        return -errno;
    (void)address_of_socket(&from, &answers);
    (void)address_of_socket(to, &asked);
    return rules == GATEWAY_SOURCE_IP_NFT || address_equal(&answers, &asked) ? 0 : -EADDRNOTAVAIL;
}

int source_socket_open(const struct sockaddr_storage *client, const struct sockaddr_storage *to,
                       int type, enum gateway_source_ip rules)
{
    struct in6_addr ip;
    uint16_t port = address_of_socket(client, &ip);
    /* An IPv4 client of a dual-stack socket is one of IPv4. */
    const struct sockaddr_storage address = address_to_socket(&ip, port);
    if (address.ss_family != to->ss_family || !may_be_kept(&ip))
        return -EADDRNOTAVAIL;
    cleanup_close int fd = dial_socket(address.ss_family, type, true);
    if (fd < 0)
        return fd;
    if (is_own(fd, &ip))
        return -EADDRNOTAVAIL;
    int r = type == SOCK_DGRAM ? check_way_back(fd, &address, to, rules) : 0;
    if (r >= 0)
        r = bear(fd, &address);
    return r < 0 ? r : take_fd(&fd);
}
