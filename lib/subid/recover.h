/*
 * The end of a change, whether it comes at once or after a crash: what was decided is carried out,
 * what was not is dropped. transact.c has the states. The caller holds the locks.
 */
#pragma once

#include <stdbool.h>

#include "lib/subid/change.h"
#include "lib/subid/place.h"
#include "lib/subid/stage.h"

struct err;

/**
 * Brings the pair of files into the old or the new state and removes what was left.
 * @param ret_note        what was found and done, for the caller to print; code 0: nothing was
 * found
 * @param ret_unrecorded  why the change that was completed has no record, code 0: it has
 * @return 0, or -errno when it cannot be done now (all is kept for a later try)
 */
int subid_recover(const struct subid_place *place, struct err *ret_note, struct err *ret_unrecorded,
                  struct err *err);
/** For readers, who change nothing: whether an interrupted change waits for the next writer. */
bool subid_is_interrupted(const struct subid_place *place);

/** Behind the last swap: backups, the record, the mark goes. @return as above; both files are new
 */
int subid_complete(const struct subid_change *change, struct subid_stage stages[2],
                   struct err *ret_unrecorded, struct err *err);
/** Puts back what this process swapped and removes mark and names. @return as above; the files
 *  are the old ones */
int subid_abandon(const struct subid_change *change, struct subid_stage stages[2], struct err *err);
