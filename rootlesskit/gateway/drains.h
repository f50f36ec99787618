/*
 * Published ports that are gone, whose connections may still end by themselves: at their deadline
 * the rest is reset. Looked at with every tick of the worker while there are any.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "rootlesskit/gateway/worker.h"

struct err;
struct relay_census;

/** At a time; a tick walks the connections once for all of them. */
#define DRAINS_MAX 64

/** The connections of published ports, also those that are still being made. */
struct drains_of {
    void (*census)(void *arg, struct relay_census *census); /**< sees whose they are */
    void (*end_all)(void *arg, uint32_t id);
    void *arg;
};

struct drains {
    struct worker *worker;
    struct drains_of connections;
    struct worker_timer timer;
    struct table table;
};

int drains_init(struct drains *drains, struct worker *worker, const struct drains_of *connections,
                struct err *err);
/** Gives the connections of port @p id, which takes no more, @p seconds from now.
 *  @return 0; -ENOBUFS: there are too many */
int drains_begin(struct drains *drains, uint32_t id, uint32_t seconds);
/** @return true while there are any of @p id */
bool drains_has(const struct drains *drains, uint32_t id);
