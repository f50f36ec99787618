/*
 * The files the child sees instead of the host's: resolv.conf and hosts, made in the state
 * directory from the host's own.
 */
#pragma once

#include <netinet/in.h>
#include <stddef.h>

struct err;

/** Writes both files into the state directory; @p dns are the child's @p n_dns name servers. */
int hostfiles_write(int state_fd, const char (*dns)[INET6_ADDRSTRLEN], size_t n_dns,
                    struct err *err);
