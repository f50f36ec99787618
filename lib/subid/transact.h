/*
 * A change of /etc/subuid and /etc/subgid together.
 *
 * subid_begin() locks both, repairs what a crashed writer left and reads them afresh; the caller
 * changes the two struct subid_db in memory; subid_commit() replaces the files that changed and
 * records what it did (record.h). On an error both files are the old ones, or, where the message
 * says that the change is made, both the new ones; so they are after a crash at any moment, once
 * the next writer has begun. subid_end() is always called.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/subid/db.h"
#include "lib/subid/edits.h"
#include "lib/subid/lock.h"
#include "lib/subid/place.h"

struct subid_transaction {
    const struct subid_place *place; /**< borrowed */
    struct subid_lock lock;
    struct subid_db db[2];       /**< by enum subid_kind */
    struct subid_edits edits[2]; /**< instead of changes in db: undo's */
    uint32_t undoes;             /**< number of the change that is taken back, or 0 */
    bool writable;
    /* For the caller to print, also after a failure and after subid_end(); code 0: nothing. */
    struct err recovered;  /**< what became of an interrupted change */
    struct err unrecorded; /**< why the change has no record */
};

/**
 * @param writable  false: nothing is locked, and subid_commit() is refused (a dry run)
 * @param wait_ms   how long to wait for the locks
 */
int subid_begin(struct subid_transaction *transaction, const struct subid_place *place,
                bool writable, unsigned wait_ms, struct err *err);
/** @return 0 (also when nothing changed), or -errno as above */
int subid_commit(struct subid_transaction *transaction, struct err *err);
void subid_end(struct subid_transaction *transaction);
