/*
 * Takes one change back, if it still stands as it was made.
 */
#pragma once

#include <stdbool.h>

#include "rootless-setup/fix/place.h"
#include "rootless-setup/fix/record.h"

struct err;
struct fix_teller;

/** What came of it. */
enum undone {
    UNDONE,      /**< it is as before, now or already: the entry may go */
    UNDO_EDITED, /**< a file that somebody edited since: left alone, the entry stays */
};

/**
 * @param dry     tells what would be done, and does nothing
 * @param teller  hears of each step, also of what is left as it is and why
 * @return enum undone or -errno
 */
int undo_change(const struct place *place, const struct change *change, bool dry,
                const struct fix_teller *teller, struct err *err);
