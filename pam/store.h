/*
 * Where a user's state is kept: /run/rootless-toolkit/pam/UID, root's alone, and locked while it is
 * read and written. Different users do not wait for one another.
 */
#pragma once

#include <sys/types.h>

#include "pam/state.h"

struct err;

struct store {
    int dir_fd;
    int lock_fd;
    char name[16], lock_name[24], part_name[24];
    char boot[STATE_BOOT_MAX]; /**< of this boot */
};

/** Locks a user's state. @return 0; -EBUSY when it stays locked for @p wait_ms; -errno.
 *  Close with store_close() in every case. */
int store_open(struct store *store, uid_t uid, unsigned wait_ms, struct err *err);
/** Reads it; none is an empty one. @return 0; -EINVAL when what is there is not ours: @p ret is
 * then an empty state */
int store_load(const struct store *store, struct state *ret, struct err *err);
/** Writes it, whole or not at all; an empty one is removed. @return 0 or -errno */
int store_save(const struct store *store, const struct state *state, struct err *err);
void store_close(struct store *store);
