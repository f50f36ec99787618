#include "rootlesskit/port/spec.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/str.h"

#define FORM "[PARENTIP:]PARENTPORT:[CHILDIP:]CHILDPORT/PROTO, as in 127.0.0.1:8080:80/tcp"

static const char *const protos[] = {"tcp",  "tcp4", "tcp6",  "udp",   "udp4",
                                     "udp6", "sctp", "sctp4", "sctp6", NULL};

int port_ip_parse(const char *text, struct sockaddr_storage *ret)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    *ret = (struct sockaddr_storage){0};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        memcpy(ret, &v4, sizeof v4);
        return AF_INET;
    }
    if (inet_pton(AF_INET6, text, &v6.sin6_addr) != 1)
        return -EINVAL;
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
        memcpy(&v4.sin_addr, &v6.sin6_addr.s6_addr[12], sizeof v4.sin_addr);
        memcpy(ret, &v4, sizeof v4);
        return AF_INET;
    }
    memcpy(ret, &v6, sizeof v6);
    return AF_INET6;
}

int port_spec_family(const struct port_spec *spec)
{
    switch (spec->proto[strlen(spec->proto) - 1]) {
    case '4':
        return AF_INET;
    case '6':
        return AF_INET6;
    default:
        return AF_UNSPEC;
    }
}

int port_spec_check(const struct port_spec *spec, struct err *err)
{
    struct sockaddr_storage address;
    if (str_index(protos, spec->proto) < 0)
        return err_set(err, EINVAL,
                       "unknown proto: \"%s\": it must be tcp, udp or sctp, alone or with 4 or 6 "
                       "behind it",
                       spec->proto);
    if (spec->parent_ip[0]) {
        int family = port_ip_parse(spec->parent_ip, &address);
        int wanted = port_spec_family(spec);
        if (family < 0)
            return err_set(err, EINVAL, "invalid ParentIP: \"%s\" is no IPv4 or IPv6 address",
                           spec->parent_ip);
        if (wanted != AF_UNSPEC && family != wanted)
            return err_set(err, EINVAL, "invalid ParentIP: \"%s\" is no IPv%c address, but %s is",
                           spec->parent_ip, wanted == AF_INET ? '4' : '6', spec->proto);
    }
    if (spec->child_ip[0] && port_ip_parse(spec->child_ip, &address) < 0)
        return err_set(err, EINVAL, "invalid ChildIP: \"%s\" is no IPv4 or IPv6 address",
                       spec->child_ip);
    if (spec->child_port == 0)
        return err_set(err, EINVAL, "invalid ChildPort: 0 is not from 1 to 65535");
    return 0;
}

static int copy_field(char *dst, size_t size, const char *field, size_t len)
{
    return memchr(field, '\0', len) ? -EINVAL : str_format(dst, size, "%.*s", (int)len, field);
}

/* An address and the colon behind it, if that is what comes next; an empty one means every. */
static int take_ip(struct cursor *c, char *ret, size_t size)
{
    const char *field;
    size_t len;
    if (cursor_char(c, '[')) {
        cursor_until(c, ']', &field, &len);
        if (len == 0 || copy_field(ret, size, field, len) < 0 || !cursor_char(c, ']'))
            return -EINVAL;
        return cursor_char(c, ':') ? 0 : -EINVAL;
    }
    struct cursor ahead = *c;
    cursor_until(&ahead, ':', &field, &len);
    if (len > 0 && strspn(field, "0123456789") >= len)
        return 0; /* a port */
    if (!cursor_char(&ahead, ':') || copy_field(ret, size, field, len) < 0)
        return strspn(c->p, "0123456789") > 0 ? 0 : -EINVAL; /* the last port, with its /PROTO */
    *c = ahead;
    return 0;
}

static bool take_port(struct cursor *c, uint16_t *ret)
{
    uint64_t port = 0;
    if (!cursor_u64(c, 10, UINT16_MAX, &port))
        return false;
    *ret = (uint16_t)port;
    return true;
}

int port_spec_parse(const char *text, struct port_spec *ret, struct err *err)
{
    struct port_spec spec = {0};
    struct cursor c = cursor_of(text);
    if (take_ip(&c, spec.parent_ip, sizeof spec.parent_ip) < 0 ||
        !take_port(&c, &spec.parent_port) || !cursor_char(&c, ':') ||
        take_ip(&c, spec.child_ip, sizeof spec.child_ip) < 0 || !take_port(&c, &spec.child_port) ||
        !cursor_char(&c, '/') || str_copy(spec.proto, sizeof spec.proto, c.p) < 0)
        return err_set(err, EINVAL, "port spec \"%s\" is not of the form " FORM, text);
    int r = port_spec_check(&spec, err);
    if (r < 0)
        return err_wrap(err, r, "port spec \"%s\"", text);
    *ret = spec;
    return 0;
}
