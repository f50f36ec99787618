/*
 * The network of an instance, as the parent sees it: the driver and the data plane process, whose
 * set-up runs beside other work, and --net=auto's choice between them.
 */
#pragma once

#include "rootlesskit/dataplane.h"
#include "rootlesskit/network/network.h"

struct child;
struct err;
struct rk_config;
struct statedir;

struct uplink {
    struct network network;
    struct dataplane dataplane;
};

#define UPLINK_UNSET                                           \
    {                                                          \
        .network = NETWORK_UNSET, .dataplane = DATAPLANE_UNSET \
    }

/** Starts what needs no mapped ids: the data plane process, which sets itself up meanwhile. */
int uplink_begin(struct uplink *uplink, struct rk_config *config, const struct child *child,
                 struct err *err);
/**
 * The rest, once the child's ids are mapped; with it the network works, and the state directory has
 * the child's resolv.conf and hosts.
 * @param config  net_kind and net become the chosen driver's with --net=auto
 */
int uplink_finish(struct uplink *uplink, struct rk_config *config, const struct child *child,
                  const struct statedir *state, struct err *err);
void uplink_stop(struct uplink *uplink);
