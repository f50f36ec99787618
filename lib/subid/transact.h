/*
 * A change of /etc/subuid and /etc/subgid together.
 *
 * subid_begin() locks both and reads them afresh; the caller changes the two struct subid_db in
 * memory; subid_commit() replaces the files that changed. Both successors are complete and on disk
 * before the first is put in place, subuid before subgid, and a second swap that fails undoes the
 * first: on an error both files are the old ones. subid_end() is always called.
 */
#pragma once

#include <stdbool.h>

#include "lib/subid/db.h"
#include "lib/subid/lock.h"
#include "lib/subid/place.h"

struct err;

struct subid_transaction {
    const struct subid_place *place; /**< borrowed */
    struct subid_lock lock;
    struct subid_db db[2]; /**< by enum subid_kind */
    bool writable;
};

/**
 * @param writable  false: nothing is locked, and subid_commit() is refused (a dry run)
 * @param wait_ms   how long to wait for the locks
 */
int subid_begin(struct subid_transaction *transaction, const struct subid_place *place,
                bool writable, unsigned wait_ms, struct err *err);
/** @return 0 (also when nothing changed), or -errno with both files as they were */
int subid_commit(struct subid_transaction *transaction, struct err *err);
void subid_end(struct subid_transaction *transaction);
