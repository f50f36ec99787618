/*
 * The host's resolver configuration (resolv.conf(5)): which servers the gateway's DNS relays to, as
 * the host has them now, and the child's own resolv.conf and hosts made from it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "rootlesskit/gateway/gateway.h"

struct err;

struct resolvers {
    struct sockaddr_storage addresses[GATEWAY_RESOLVERS_MAX]; /**< port 53 filled in */
    uint32_t n;
};

#define RESOLV_TEXT_MAX 65536

/** Takes the nameserver lines out of @p text; lines that do not parse are skipped, as libc does. */
void resolv_parse(const char *text, struct resolvers *ret);
/**
 * The child's resolv.conf: the host's text with its nameserver lines replaced by those of @p dns.
 * Search domains and options stay.
 * @return length, or -ENAMETOOLONG
 */
int resolv_for_child(const char *host_text, const struct in_addr *dns, size_t n_dns, char *ret,
                     size_t size);
/** Reads /etc/resolv.conf; a missing file reads as empty, as for libc. @return 0 or -errno */
int resolv_read(char *ret, size_t size, struct err *err);
/**
 * Watches the file: an inotify fd that becomes readable when it, the link it is, or the file the
 * link leads to may have changed. @return fd or -errno
 */
int resolv_watch(struct err *err);
/** Empties the watch's queue. */
void resolv_drain(int watch_fd);
