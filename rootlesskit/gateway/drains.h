/*
 * Published ports that are gone, whose connections may still end by themselves: at their deadline
 * the rest is reset. Looked at with every tick of the worker while there are any.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "rootlesskit/gateway/worker.h"

struct acceptors;
struct err;

/** At a time; each costs a walk of the connections a tick. */
#define DRAINS_MAX 64

struct drains {
    struct worker *worker;
    struct acceptors *acceptors;
    struct worker_timer timer;
    struct table table;
};

/** @param worker     of the first of them, in whose thread all this is called
 *  @param acceptors  of the ports, who carry the connections and make those that are on their way
 */
int drains_init(struct drains *drains, struct worker *worker, struct acceptors *acceptors,
                struct err *err);
/** Gives the connections of port @p id, which takes no more, @p seconds from now.
 *  @return 0; -ENOBUFS: there are too many */
int drains_begin(struct drains *drains, uint32_t id, uint32_t seconds);
/** @return true while there are any of @p id */
bool drains_has(const struct drains *drains, uint32_t id);
