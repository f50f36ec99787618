/*
 * The id maps of the child: root is the caller, the caller's subordinate ids follow from 1 on.
 * Written by newuidmap and newgidmap (both started at once); rootlesskit has no privilege itself.
 */
#pragma once

#include <sys/types.h>

#include "rootlesskit/idline.h"

struct err;
struct rk_config;

struct maps {
    struct idline lines[2]; /**< by enum subid_kind: subordinate ids that are mapped */
};

/**
 * Finds the ids.
 * @return 0; -errno with a message that names the cause and the command that mends it
 */
int maps_plan(struct maps *ret, const struct rk_config *config, struct err *err);
/** @param child  a process that is alone in a new user namespace. @return as above */
int maps_write(const struct maps *maps, pid_t child, struct err *err);
