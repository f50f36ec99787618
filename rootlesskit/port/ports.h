/*
 * The published ports of the parent: binds the host side, hands it to the data plane, keeps the
 * list. Ids count up from 1 and are never used twice.
 */
#pragma once

#include <stdint.h>

#include "rootlesskit/port/spec.h"

struct dataplane;
struct err;

struct port {
    uint32_t id;
    struct port_spec spec;
};

/** Enough for every port of two addresses; bounds what an API client can make us keep. */
#define PORTS_MAX 131072

struct ports {
    struct port *list; /**< sorted by id */
    uint32_t n, room;
    uint32_t last_id;
    struct dataplane *plane; /**< NULL: no port driver */
};

/** @return 0 and the id; -errno with a message (in use, privileged, invalid, no port driver) */
int ports_add(struct ports *ports, const struct port_spec *spec, uint32_t *ret_id, struct err *err);
/** @return 0, or -ENOENT "unknown id: N" */
int ports_remove(struct ports *ports, uint32_t id, struct err *err);
/** The port with the lowest id >= @p from, or NULL. Valid until the next add or remove. */
const struct port *ports_next(const struct ports *ports, uint32_t from);
void ports_free(struct ports *ports);
