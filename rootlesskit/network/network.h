/*
 * Network drivers: what each does once the child's namespaces are mapped.
 * One file a driver; the table in network.c is the list.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "rootlesskit/options.h"

struct dataplane;
struct err;

/** A running helper program, ended with the network. pid 0 = none. */
struct network {
    pid_t helper;
    int helper_pidfd;
    int helper_exit_fd; /**< closing it ends the helper, even when we are killed */
};

#define NETWORK_UNSET                                    \
    {                                                    \
        .helper_pidfd = -EBADF, .helper_exit_fd = -EBADF \
    }

/**
 * Brings up the child's network. The gateway driver's work is done by the data plane process, which
 * the parent starts; this does the rest: nothing, the loopback alone, or an external helper.
 */
int network_start(struct network *network, const struct rk_config *config, pid_t child,
                  struct err *err);
void network_stop(struct network *network);
/** Brings up lo in the network namespace of @p child (--net=none). */
int network_loopback_up(pid_t child, struct err *err);
/** Starts slirp4netns and waits until it is ready. */
int network_slirp4netns(struct network *network, const struct rk_config *config, pid_t child,
                        struct err *err);
