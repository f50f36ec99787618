#include "rootlesskit/gateway/egress.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/net/address.h"

#define FORM "CIDR[:PORTS], as in 10.0.0.0/8:80,443,8000-8100 or [2001:db8::]/32:443"

static uint8_t family_bits(const struct in6_addr *address)
{
    return address_is_v4(address) ? ADDRESS_V4_BITS : 0;
}

static int read_address(const char *text, size_t len, struct in6_addr *ret, struct err *err)
{
    char address[INET6_ADDRSTRLEN];
    struct in_addr v4;
    if (str_format(address, sizeof address, "%.*s", (int)len, text) >= 0 &&
        inet_pton(AF_INET, address, &v4) == 1) {
        *ret = address_map(v4);
        return 0;
    }
    if (inet_pton(AF_INET6, address, ret) != 1)
        return err_set(err, EINVAL, "\"%.*s\" is no IPv4 or IPv6 address; a rule is " FORM,
                       (int)len, text);
    if (address_is_v4(ret)) {
        v4 = address_v4(ret);
        return err_set(err, EINVAL, "\"%s\" is the IPv4 address %s: write it as such", address,
                       inet_ntop(AF_INET, &v4, (char[INET_ADDRSTRLEN]){0}, INET_ADDRSTRLEN));
    }
    return 0;
}

/* Behind the slash; without one the address alone is meant. */
static int read_prefix(struct cursor *c, struct egress_rule *rule, struct err *err)
{
    uint8_t front = family_bits(&rule->network);
    uint64_t bits = 0;
    rule->prefix = 128;
    if (!cursor_char(c, '/'))
        return 0;
    if (!cursor_u64(c, 10, 128 - front, &bits))
        return err_set(err, EINVAL, "a prefix length of IPv%c is from 0 to %d", front ? '4' : '6',
                       128 - front);
    rule->prefix = (uint8_t)(bits + front);
    return 0;
}

static struct in6_addr network_of(const struct in6_addr *address, uint8_t prefix)
{
    struct in6_addr network = *address;
    for (unsigned bit = prefix; bit < 128; bit++)
        network.s6_addr[bit / 8] &= (uint8_t) ~(0x80U >> bit % 8);
    return network;
}

static int check_network(const struct egress_rule *rule, struct err *err)
{
    struct in6_addr right = network_of(&rule->network, rule->prefix);
    struct in_addr v4 = address_v4(&right);
    bool is_v4 = address_is_v4(&rule->network);
    char shown[INET6_ADDRSTRLEN];
    if (address_equal(&right, &rule->network))
        return 0;
    (void)(is_v4 ? inet_ntop(AF_INET, &v4, shown, sizeof shown)
                 : inet_ntop(AF_INET6, &right, shown, sizeof shown));
    return err_set(err, EINVAL, "it must be a network like %s/%u, or an address alone", shown,
                   rule->prefix - family_bits(&rule->network));
}

static int read_ports(struct cursor *c, struct egress_rule *rule, struct err *err)
{
    if (rule->n_ports == EGRESS_PORTS_MAX)
        return err_set(err, E2BIG, "a rule has up to %d ports and ranges of ports",
                       EGRESS_PORTS_MAX);
    int r = port_range_read(c, &rule->ports[rule->n_ports], err);
    if (r >= 0)
        rule->n_ports++;
    return r;
}

/* Up to the slash, else to the only colon; more of them are IPv6, whose ports need brackets or a
 * prefix length in front. */
static bool take_address(struct cursor *c, const char **ret, size_t *len)
{
    size_t left = (size_t)(c->end - c->p);
    if (cursor_char(c, '[')) {
        cursor_until(c, ']', ret, len);
        return cursor_char(c, ']');
    }
    const char *colon = memchr(c->p, ':', left);
    bool single = colon && colon == memrchr(c->p, ':', left);
    cursor_until(c, memchr(c->p, '/', left) ? '/' : single ? ':' : ',', ret, len);
    return true;
}

static int read_rule(struct cursor *c, struct egress_rule *rule, struct err *err)
{
    const char *address;
    size_t len;
    if (!take_address(c, &address, &len))
        return err_set(err, EINVAL, "there is no ] for the [");
    int r = read_address(address, len, &rule->network, err);
    if (r >= 0)
        r = read_prefix(c, rule, err);
    if (r >= 0)
        r = check_network(rule, err);
    if (r >= 0 && cursor_char(c, ':'))
        r = read_ports(c, rule, err);
    return r;
}

/* What stands between two commas: a rule, or more ports of the one before it. */
static int read_item(struct cursor *c, struct egress *rules, struct egress_rule *last, bool deny,
                     struct err *err)
{
    bool ports = strspn(c->p, "0123456789-") == (size_t)(c->end - c->p);
    if (ports && last && last->n_ports > 0)
        return read_ports(c, last, err);
    if (rules->n == EGRESS_RULES_MAX)
        return err_set(err, E2BIG, "there are more than %d rules", EGRESS_RULES_MAX);
    rules->items[rules->n] = (struct egress_rule){.deny = deny};
    int r = read_rule(c, &rules->items[rules->n], err);
    rules->n++;
    return r;
}

static int add_all(struct egress *rules, const char *text, bool deny, struct err *err)
{
    size_t before = rules->n;
    struct cursor c = cursor_of(text);
    do {
        struct cursor item;
        size_t len;
        cursor_until(&c, ',', &item.p, &len);
        item.end = item.p + len;
        struct egress_rule *last = rules->n > before ? &rules->items[rules->n - 1] : NULL;
        int r = read_item(&item, rules, last, deny, err);
        if (r < 0)
            return r;
        if (!cursor_done(&item))
            return err_set(err, EINVAL, "it is not of the form " FORM);
    } while (cursor_char(&c, ','));
    return 0;
}

int egress_add(struct egress *rules, const char *text, bool deny, struct err *err)
{
    size_t before = rules->n;
    int r = add_all(rules, text, deny, err);
    if (r < 0) {
        rules->n = before;
        return err_wrap(err, r, "\"%s\"", text);
    }
    if (!deny)
        rules->n_allow += rules->n - before;
    return 0;
}

static bool matches_port(const struct egress_rule *rule, uint16_t port)
{
    return rule->n_ports == 0 || port_range_has(rule->ports, rule->n_ports, port);
}

static bool matches(const struct egress_rule *rule, const struct in6_addr *to, uint16_t port)
{
    return address_is_v4(&rule->network) == address_is_v4(to) &&
           address_within(to, &rule->network, rule->prefix) && matches_port(rule, port);
}

static bool any_matches(const struct egress *rules, bool deny, const struct in6_addr *to,
                        uint16_t port)
{
    for (size_t i = 0; i < rules->n; i++)
        if (rules->items[i].deny == deny && matches(&rules->items[i], to, port))
            return true;
    return false;
}

bool egress_denies(const struct egress *rules, const struct in6_addr *to, uint16_t port)
{
    return any_matches(rules, true, to, port);
}

bool egress_permits(const struct egress *rules, const struct in6_addr *to, uint16_t port)
{
    return !any_matches(rules, true, to, port) &&
           (rules->n_allow == 0 || any_matches(rules, false, to, port));
}

bool egress_names(const struct egress *rules, const struct in6_addr *to, uint16_t port,
                  uint8_t prefix)
{
    for (size_t i = 0; i < rules->n; i++) {
        const struct egress_rule *rule = &rules->items[i];
        bool narrow = rule->n_ports > 0 || rule->prefix >= prefix ||
                      rule->prefix == family_bits(&rule->network);
        if (rule->deny && narrow && matches(rule, to, port))
            return true;
    }
    return false;
}
