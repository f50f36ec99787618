/*
 * Network drivers: what each does once the child's namespaces are there.
 * One file a driver; the switch in network.c is the list.
 */
#pragma once

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "rootlesskit/options.h"

struct child;
struct err;
struct statedir;

/* The control sockets that port drivers use, in the state directory under RootlessKit's names. */
#define NETWORK_SLIRP4NETNS_SOCKET ".s4nn.sock"
#define NETWORK_PASTA_SOCKET ".pasta.sock"

#define NETWORK_DNS_MAX 3 /* MAXNS of resolv.conf(5) */

/** What the child's network is like, for /v1/info and resolv.conf. */
struct network_info {
    struct in_addr child_ip;
    bool dynamic_child_ip;                       /**< it came by DHCP and may change */
    char dns[NETWORK_DNS_MAX][INET6_ADDRSTRLEN]; /**< in the order of resolv.conf */
    size_t n_dns;
    bool ipv6;
};

/** A running helper (helper.h), ended with the network. pid 0 = none. */
struct network {
    struct network_info info;
    pid_t helper;
    int helper_pidfd;
    int helper_exit_fd; /**< closing it ends the helper, even when we are killed */
    int said_fd;        /**< what the helper wrote, if nobody has read it */
};

#define NETWORK_UNSET                                                        \
    {                                                                        \
        .helper_pidfd = -EBADF, .helper_exit_fd = -EBADF, .said_fd = -EBADF, \
    }

/**
 * Brings up the child's network with the driver of @p config->net_kind and fills in network->info.
 * The gateway driver's work is done by the data plane process (dataplane.h); this does the rest:
 * nothing, the loopback alone, or an external helper. Helpers find C (child->netns_fd) by the
 * child's pid, or with --detach-netns by path or fd.
 */
int network_start(struct network *network, const struct rk_config *config,
                  const struct child *child, const struct statedir *state, struct err *err);
void network_stop(struct network *network);
/** The last line that the helper wrote, or "". */
void network_last_words(struct network *network, char *ret, size_t size);
/** Brings up lo in C (--net=none). */
int network_loopback_up(const struct child *child, struct err *err);
/** Starts slirp4netns and waits until it is ready. */
int network_slirp4netns(struct network *network, const struct rk_config *config,
                        const struct child *child, const struct statedir *state, struct err *err);
/** Starts pasta and waits until it is ready. */
int network_pasta(struct network *network, const struct rk_config *config,
                  const struct child *child, const struct statedir *state, struct err *err);
/** Has lxc-user-nic make the interface, and a process of ours configure it by DHCP. */
int network_lxc_user_nic(struct network *network, const struct rk_config *config,
                         const struct child *child, struct err *err);
