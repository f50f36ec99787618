/*
 * Removes an engine's images, containers and volumes. Their files belong to subordinate ids, so it
 * is done by root of a user namespace that has them.
 */
#pragma once

#include "rootless-setup/install/deed.h"
#include "rootless-setup/install/setup.h"

struct err;

#define PURGE_DIRS_MAX (ENGINE_DATA_DIRS_MAX + 1)

/** The directories that are there: the usual ones, and the one that the engine is told to use. */
struct purge {
    char dirs[PURGE_DIRS_MAX][4200];  /**< links followed */
    char links[PURGE_DIRS_MAX][4200]; /**< the link that led there, or "" */
    size_t n;
    const char *configured; /**< that of them, or NULL */
};

/** @return 0, or -errno: one that cannot be meant (the home directory, or above it) */
int purge_find(const struct setup *setup, struct purge *ret, struct err *err);
/** @return 0, or -errno: the engine was told to use one that holds other people's files */
int purge_check(const struct setup *setup, const struct purge *purge, struct err *err);
/** Asks on the terminal. @return 0; -ECANCELED: no; -ENOTTY: nobody to ask, see the message */
int purge_confirm(const struct purge *purge, struct err *err);
/** The engine must have ended, unless it removes its data itself. */
int purge_run(struct deeds *deeds, const struct setup *setup, const struct purge *purge,
              struct err *err);
