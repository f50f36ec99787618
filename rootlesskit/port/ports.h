/*
 * The published ports of the parent: the list, over the port driver in use, one file a driver.
 * Ids count up from 1 and are never used twice.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "rootlesskit/port/spec.h"

struct dataplane;
struct err;
struct handover;
struct port_alias;
struct ports;
struct rk_config;
struct statedir;

struct port {
    uint32_t id;
    struct port_spec spec;
};

/** Enough for every port of two addresses; bounds what an API client can make us keep. */
#define PORTS_MAX 131072

/** What a port driver does. The spec is checked and in conflict with no other. */
struct port_driver {
    const char *name;
    const char *const *protos; /**< NULL-ended: those it forwards */
    bool disallow_loopback_child_ip;
    bool picks_port; /**< takes parent port 0, and puts the port it took into the spec */
    /** Publishes it as @p id. @return 0 or -errno with a message */
    int (*add)(struct ports *ports, uint32_t id, struct port_spec *spec, struct err *err);
    int (*remove)(struct ports *ports, uint32_t id, const struct port_spec *spec, struct err *err);
    /** Removes it, and leaves its connections @p seconds. NULL: the driver cannot. */
    int (*drain)(struct ports *ports, uint32_t id, uint32_t seconds, struct err *err);
};

/** A socket of the host's each, served by the data plane process (ports->plane). */
extern const struct port_driver port_driver_builtin;
/** Where the builtin driver takes a port's clients to in the child. @return 0 or -EINVAL */
int port_builtin_target(const struct port_spec *spec, struct sockaddr_storage *ret,
                        struct err *err);
/** Served by slirp4netns, through its API socket. */
extern const struct port_driver port_driver_slirp4netns;
/** Served by pasta, through the program pesto; the second one with --ipv6. */
extern const struct port_driver port_driver_pesto, port_driver_pesto_ipv6;

struct ports {
    struct port *list; /**< sorted by id */
    uint32_t n, room;
    uint32_t last_id;
    const struct port_driver *driver; /**< NULL: none */
    struct dataplane *plane;          /**< of the builtin driver, these two */
    struct handover *handover;
    const struct rk_config *config; /**< these two for the drivers of external programs */
    const struct statedir *state;
    struct port_alias *aliases; /**< of the slirp4netns driver: its ids; owned */
    uint32_t n_aliases;
};

/** @param spec  its parent port 0 becomes the one that was taken
 *  @return 0 and the id; -errno with a message (in use, privileged, invalid, no port driver) */
int ports_add(struct ports *ports, struct port_spec *spec, uint32_t *ret_id, struct err *err);
/** @return 0, or -ENOENT "unknown id: N" */
int ports_remove(struct ports *ports, uint32_t id, struct err *err);
/** The same, but the port's connections have @p seconds to end by themselves: ports_drained()
 * tells.
 *  @return also -ENOTSUP: the driver cannot */
int ports_drain(struct ports *ports, uint32_t id, uint32_t seconds, struct err *err);
/** @return 0 when the connections of @p id, which ports_drain() got, are gone; -EINPROGRESS before
 */
int ports_drained(struct ports *ports, uint32_t id, struct err *err);
/** The port with the lowest id >= @p from, or NULL. Valid until the next add or remove. */
const struct port *ports_next(const struct ports *ports, uint32_t from);
void ports_free(struct ports *ports);
