/*
 * The id maps of the child: root is the caller, the caller's subordinate ids follow from 1 on. With
 * --subid-slice a piece of those is all there is, its first id is root.
 * Written by newuidmap and newgidmap (both started at once); rootlesskit has no privilege itself.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "rootlesskit/idline.h"

struct err;
struct rk_config;
struct statedir;

struct maps {
    bool is_slice;
    struct idline lines[2]; /**< by enum subid_kind: subordinate ids that are mapped */
    uid_t root;             /**< who the command's root is outside */
};

/**
 * Finds the ids, and the slice where one is wanted: remembers it and lets its root through the
 * state directory.
 * @return 0; -errno with a message that names the cause and the command that mends it
 */
int maps_plan(struct maps *ret, const struct rk_config *config, const struct statedir *state,
              struct err *err);
/** @param child  a process that is alone in a new user namespace. @return as above */
int maps_write(const struct maps *maps, pid_t child, struct err *err);
