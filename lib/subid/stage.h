/*
 * A file of /etc on its way to being replaced: NAME, its successor NAME.rootless-new, and a second
 * link to the present one, NAME.rootless-old, from which a failed swap is undone and which becomes
 * the backup NAME- in the end.
 *
 * The successor gets owner, mode, ACL and extended attributes (the SELinux label) of the present
 * file. The caller holds the locks, so that the names are only ever ours; what a crash left under
 * them is replaced.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/subid/place.h"

struct err;

struct subid_stage {
    const struct subid_place *place; /**< borrowed */
    const char *name;
    bool existed; /**< there is a present file */
    bool written; /**< the successor is */
    bool linked;  /**< the second link is */
    bool swapped; /**< the successor is in place */
};

/** Writes and syncs the successor. Nothing is left behind on failure. @return 0 or -errno */
int subid_stage_write(struct subid_stage *stage, const struct subid_place *place, const char *name,
                      const char *text, size_t len, struct err *err);
/** Puts the successor in place. @return 0 or -errno, with the present file untouched */
int subid_stage_swap(struct subid_stage *stage, struct err *err);
/** Puts the old file back if it was swapped, removes what was staged. Safe on a zeroed stage. */
void subid_stage_undo(struct subid_stage *stage);
/** After the last swap: the old file becomes the backup. */
void subid_stage_finish(struct subid_stage *stage);
