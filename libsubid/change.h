/*
 * Grant and ungrant: one change of one of the files, in a transaction of its own.
 *
 * In terms that do not meet those of the public header, whose struct subid_range is another than
 * lib/subid's.
 */
#pragma once

#include <stdbool.h>

struct err;

/** The ids [start, start + count) of a user. */
struct change {
    bool gids;
    const char *owner;
    unsigned long start, count;
};

/** Gives @p change->count new ids, or with @p reuse finds a range of the owner's with so many; sets
 *  start and count. @return 0 or -errno */
int change_grant(struct change *change, bool reuse, struct err *err);
/** @return 0; -ENOENT when the owner had none of these ids; -errno */
int change_ungrant(const struct change *change, struct err *err);
