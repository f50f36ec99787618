/*
 * A file of /etc on its way to being replaced: NAME, its successor NAME.rootless-new, and a second
 * link to the present one, NAME.rootless-old, from which a swap is put back and which becomes the
 * backup NAME- in the end. While the successor is written it is NAME.rootless-part.
 *
 * The successor gets owner, mode, ACL and extended attributes (the SELinux label) of the present
 * file. The caller holds the locks, so that the names are only ever ours; transact.c says in which
 * order they come and go.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/subid/content.h"
#include "lib/subid/place.h"

struct err;

struct subid_stage {
    const struct subid_place *place; /**< borrowed */
    enum subid_kind kind;
    bool existed; /**< there was a file before the change */
    bool swapped; /**< by this process: the successor is in place */
};

/**
 * Writes and syncs the successor, and links the present file.
 * @param present  what the new text was made from
 * @return 0; -EBUSY when the file is another by now; -errno. subid_stage_clear() removes what is
 *         left
 */
int subid_stage_write(struct subid_stage *stage, const struct subid_content *present,
                      const char *text, size_t len, struct err *err);
/** @return 1 when there is a successor, 0 when there is none, -errno */
int subid_stage_waits(const struct subid_stage *stage, struct err *err);
/** Puts the successor in place. @return 0 or -errno, with the present file untouched */
int subid_stage_swap(struct subid_stage *stage, struct err *err);
/** Puts the old file back, if this process swapped it. */
int subid_stage_put_back(struct subid_stage *stage, struct err *err);
/** The old file becomes the backup. */
void subid_stage_back_up(struct subid_stage *stage);
/** Removes every name but the file's own and the backup's. @return whether there were any */
bool subid_stage_clear(struct subid_stage *stage);
