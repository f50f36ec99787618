/*
 * Grant and ungrant: one change of one of the files, in a transaction of its own.
 *
 * In terms that do not meet those of the public header, whose struct subid_range is another than
 * lib/subid's.
 */
#pragma once

#include <stdbool.h>

#include "lib/base/err.h"

/** What a transaction has to say beside its result, whatever that is; code 0: nothing. */
#define GRANT_NOTES 2

/** The ids [start, start + count) of a user. */
struct grant {
    bool gids;
    const char *owner;
    unsigned long start, count;
};

/** Gives @p grant->count new ids, or with @p reuse finds a range of the owner's with so many; sets
 *  start and count. @return 0 or -errno */
int grant_make(struct grant *grant, bool reuse, struct err ret_notes[GRANT_NOTES], struct err *err);
/** @return 0; -ENOENT when the owner had none of these ids; -errno */
int grant_revoke(const struct grant *grant, struct err ret_notes[GRANT_NOTES], struct err *err);
