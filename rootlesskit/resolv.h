/*
 * The host's resolver configuration (resolv.conf(5)): which servers the gateway's DNS relays to, as
 * the host has them now, and the child's own resolv.conf and hosts made from it.
 */
#pragma once

#include <netinet/in.h>
#include <stddef.h>

#include "rootlesskit/gateway/gateway.h"

struct err;

#define RESOLV_TEXT_MAX 65536

/** Takes the first GATEWAY_RESOLVERS_MAX nameserver lines and options timeout out of @p text; what
 *  does not parse is skipped, as libc does. */
void resolv_parse(const char *text, struct gateway_resolvers *ret);
/**
 * The child's resolv.conf: the host's text with its nameserver lines replaced by those of @p dns.
 * Search domains and options stay.
 * @return length, or -ENAMETOOLONG
 */
int resolv_for_child(const char *host_text, const char (*dns)[INET6_ADDRSTRLEN], size_t n_dns,
                     char *ret, size_t size);
/** Reads /etc/resolv.conf; a missing file reads as empty, as for libc. @return 0 or -errno */
int resolv_read(char *ret, size_t size, struct err *err);
/** The host's servers now; untouched when the file cannot be read. @return 0 or -errno */
int resolv_look(struct gateway_resolvers *resolvers, struct err *err);
