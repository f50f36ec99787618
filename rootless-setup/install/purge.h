/*
 * Removes an engine's images, containers and volumes. Their files belong to subordinate ids, so it
 * is done by root of a user namespace that has them.
 */
#pragma once

#include "rootless-setup/install/deed.h"
#include "rootless-setup/install/setup.h"

struct err;

/** The directories that are there. */
struct purge {
    char dirs[ENGINE_DATA_DIRS_MAX][4200];  /**< links followed */
    char links[ENGINE_DATA_DIRS_MAX][4200]; /**< the link that led there, or "" */
    size_t n;
};

/** @return 0, or -errno: one that cannot be meant (the home directory, or above it) */
int purge_find(const struct setup *setup, struct purge *ret, struct err *err);
/** Asks on the terminal. @return 0; -ECANCELED: no; -ENOTTY: nobody to ask, see the message */
int purge_confirm(const struct purge *purge, struct err *err);
/** The engine must have ended, unless it removes its data itself. */
int purge_run(struct deeds *deeds, const struct setup *setup, const struct purge *purge,
              struct err *err);
