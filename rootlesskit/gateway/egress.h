/*
 * Egress rules: which of the host's network the child may reach, by network and port. Rules are
 * read once, from the command line, and never change.
 *
 * Text: CIDR[:PORTS], as in 10.0.0.0/8:80,443,8000-8100 or [2001:db8::]/32:443. Without a prefix
 * length an address is meant; more rules may follow behind a comma. A rule with ports is about TCP
 * and UDP alone.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rootlesskit/port/range.h"

struct err;

#define EGRESS_RULES_MAX 1024 /* they are looked through one by one, for each new connection */
#define EGRESS_PORTS_MAX 32   /* ranges */

struct egress_rule {
    struct in6_addr network; /**< IPv4 mapped; such a rule never matches IPv6, nor the other way */
    uint8_t prefix;          /**< bits of 128 */
    bool deny;
    uint8_t n_ports; /**< 0: every port, and what has none */
    struct port_range ports[EGRESS_PORTS_MAX];
};

/** All zero: no rule, everything may be reached. */
struct egress {
    size_t n;
    size_t n_allow; /**< how many of them allow */
    struct egress_rule items[EGRESS_RULES_MAX];
};

/** Adds what @p text says. @return 0; -EINVAL, -E2BIG with a message that shows the value, and
 *  nothing added */
int egress_add(struct egress *rules, const char *text, bool deny, struct err *err);
/** A deny rule matches. @param port  host byte order; 0 for what has none (ICMP echo) */
bool egress_denies(const struct egress *rules, const struct in6_addr *to, uint16_t port);
/** No deny rule matches, and an allow rule does if there is one at all. */
bool egress_permits(const struct egress *rules, const struct in6_addr *to, uint16_t port);
/**
 * A deny rule is about the very address @p to: it matches and names ports, or is no wider than
 * @p prefix bits, or is about every address of the family.
 */
bool egress_names(const struct egress *rules, const struct in6_addr *to, uint16_t port,
                  uint8_t prefix);
