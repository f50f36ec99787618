#include "rootlesskit/port/bind.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "rootlesskit/port/spec.h"

#define PORT_START_PATH "/proc/sys/net/ipv4/ip_unprivileged_port_start"

static void place_at(struct port_place *place, int family, uint16_t port)
{
    if (family == AF_INET6) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&place->address;
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        place->len = sizeof *v6;
    } else {
        struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&place->address;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        place->len = sizeof *v4;
    }
}

static bool is_unspecified(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
        return IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
    }
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
    return v4->sin_addr.s_addr == htonl(INADDR_ANY);
}

/* A protocol without 4 or 6 at an unspecified address means both families, whichever it names. */
struct port_place port_place_of(const struct port_spec *spec)
{
    struct port_place place = {0};
    int family = spec->parent_ip[0] ? port_ip_parse(spec->parent_ip, &place.address) : AF_UNSPEC;
    int wanted = port_spec_family(spec);
    place.dual = wanted == AF_UNSPEC && (family == AF_UNSPEC || is_unspecified(&place.address));
    if (place.dual)
        place.address = (struct sockaddr_storage){0};
    place_at(&place,
             place.dual            ? AF_INET6
             : family == AF_UNSPEC ? wanted
                                   : family,
             spec->parent_port);
    return place;
}

static int proto_of(const struct port_spec *spec)
{
    return strncmp(spec->proto, "udp", 3) == 0    ? IPPROTO_UDP
           : strncmp(spec->proto, "sctp", 4) == 0 ? IPPROTO_SCTP
                                                  : IPPROTO_TCP;
}

/* SO_REUSEADDR would let two UDP sockets have one port. Whoever answers a datagram must know where
 * it was sent to; asked for before there can be one. */
static int set_options(int fd, int family, int proto)
{
    const int on = 1;
    if (proto != IPPROTO_UDP)
        return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (family == AF_INET6)
        return setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
    return setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
}

static int make(const struct port_place *place, int proto)
{
    const int v6only = !place->dual, family = place->address.ss_family;
    int type = proto == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM;
    cleanup_close int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, proto);
    if (fd < 0 || set_options(fd, family, proto) < 0)
        return -errno;
    if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only) < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)(const void *)&place->address, place->len) < 0)
        return -errno;
    return take_fd(&fd);
}

static int bind_at(const struct port_place *place, int proto)
{
    cleanup_close int fd = make(place, proto);
    if (fd >= 0 && proto != IPPROTO_UDP && listen(fd, SOMAXCONN) < 0)
        return -errno;
    return take_fd(&fd);
}

static bool is_privileged(uint16_t port, uint32_t *ret_start)
{
    char text[32];
    uint64_t start = 1024;
    if (file_read_into(AT_FDCWD, PORT_START_PATH, text, sizeof text, NULL) > 0) {
        struct cursor c = cursor_of(text);
        (void)cursor_u64(&c, 10, UINT16_MAX + 1, &start);
    }
    *ret_start = (uint32_t)start;
    return port < start;
}

/* ss(8)'s. */
static char letter_of(int proto)
{
    return proto == IPPROTO_UDP ? 'u' : proto == IPPROTO_SCTP ? 'S' : 't';
}

static int explain(const struct port_spec *spec, int code, struct err *err)
{
    const char *ip = spec->parent_ip[0] ? spec->parent_ip : "*";
    bool brackets = strchr(ip, ':') != NULL;
    char where[PORT_IP_MAX + 16];
    uint32_t start = 0;
    (void)str_format(where, sizeof where, "%s%s%s:%u", brackets ? "[" : "", ip, brackets ? "]" : "",
                     spec->parent_port);
    if (code == EACCES && is_privileged(spec->parent_port, &start))
        return err_set(
            err, code,
            "cannot listen on %s (%s): port %u is privileged; choose a larger port (%u or "
            "more), or set the sysctl net.ipv4.ip_unprivileged_port_start=%u (now %u), or give the "
            "rootlesskit binary CAP_NET_BIND_SERVICE (setcap cap_net_bind_service=ep)",
            where, spec->proto, spec->parent_port, start, spec->parent_port, start);
    if (code == EADDRINUSE)
        return err_set(err, code,
                       "cannot listen on %s (%s): address already in use; choose another port, or "
                       "end its user (ss -l%cnp \"sport = :%u\")",
                       where, spec->proto, letter_of(proto_of(spec)), spec->parent_port);
    if (code == EADDRNOTAVAIL)
        return err_set(err, code, "cannot listen on %s (%s): no interface of this host has %s",
                       where, spec->proto, ip);
    if (code == EAFNOSUPPORT)
        return err_set(err, code, "cannot listen on %s (%s): this host has no IPv6", where,
                       spec->proto);
    /* The kernel has tried to load the module. */
    if (code == EPROTONOSUPPORT || code == ESOCKTNOSUPPORT)
        return err_set(err, code,
                       "cannot listen on %s (%s): this kernel has no SCTP; load its module as the "
                       "host's root (modprobe sctp), or choose tcp or udp",
                       where, spec->proto);
    return err_sys(err, code, "cannot listen on %s (%s)", where, spec->proto);
}

static int tell_port(int fd, struct port_spec *spec)
{
    struct sockaddr_storage bound = {0};
    socklen_t len = sizeof bound;
    if (getsockname(fd, (struct sockaddr *)&bound, &len) < 0)
        return -errno;
    /* At the same place in both families' addresses. */
    spec->parent_port = ntohs(((const struct sockaddr_in *)(const void *)&bound)->sin_port);
    return 0;
}

/* A port that the kernel chose is given back by shutdown(2) (gateway/gate.h), one that was bound by
 * number is not: the socket that chose it holds it until the other has it. */
static int bind_by_number(struct port_place *place)
{
    cleanup_close int chosen = make(place, IPPROTO_TCP);
    socklen_t len = sizeof place->address;
    if (chosen < 0)
        return chosen;
    if (getsockname(chosen, (struct sockaddr *)&place->address, &len) < 0)
        return -errno;
    return bind_at(place, IPPROTO_TCP);
}

static int bind_to(struct port_place *place, int proto, bool any)
{
    return proto == IPPROTO_TCP && any ? bind_by_number(place) : bind_at(place, proto);
}

int port_bind(struct port_spec *spec, struct err *err)
{
    int proto = proto_of(spec);
    struct port_place place = port_place_of(spec);
    bool any = spec->parent_port == 0;
    int r = bind_to(&place, proto, any);
    if (r == -EAFNOSUPPORT && place.dual) {
        place = (struct port_place){0};
        place_at(&place, AF_INET, spec->parent_port);
        r = bind_to(&place, proto, any);
    }
    if (r >= 0 && any && tell_port(r, spec) < 0)
        return err_sys(err, errno, "cannot read a socket's address");
    return r < 0 ? explain(spec, -r, err) : r;
}

static bool same_transport(const struct port_spec *a, const struct port_spec *b)
{
    size_t len = strcspn(a->proto, "46");
    return len == strcspn(b->proto, "46") && strncmp(a->proto, b->proto, len) == 0;
}

static bool same_ip(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
    if (a->ss_family == AF_INET6)
        return IN6_ARE_ADDR_EQUAL(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr,
                                  &((const struct sockaddr_in6 *)(const void *)b)->sin6_addr);
    return ((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr ==
           ((const struct sockaddr_in *)(const void *)b)->sin_addr.s_addr;
}

bool port_overlaps(const struct port_spec *a, const struct port_spec *b)
{
    if (a->parent_port != b->parent_port || !same_transport(a, b))
        return false;
    struct port_place first = port_place_of(a), second = port_place_of(b);
    if (first.dual || second.dual)
        return true;
    return first.address.ss_family == second.address.ss_family &&
           (is_unspecified(&first.address) || is_unspecified(&second.address) ||
            same_ip(&first.address, &second.address));
}
