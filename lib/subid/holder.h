/*
 * The lines of one user. The kernel knows uids only, so a line is his when its owner is his login
 * name, another login name with the same uid, or the uid itself.
 */
#pragma once

#include "lib/subid/accounts.h"
#include "lib/subid/db.h"

/** Calls @p fn once for each of his lines. @p user may be one whom @p accounts does not know, with
 *  the id (uid_t)-1 when he has none. @return how many */
size_t subid_holder_visit(const struct subid_db *db, const struct subid_accounts *accounts,
                          const struct subid_account *user, subid_db_fn *fn, void *arg);
/** Takes @p range from all his lines, as subid_db_remove() does. @return ids taken away */
uint64_t subid_holder_remove(struct subid_db *db, const struct subid_accounts *accounts,
                             const struct subid_account *user, struct subid_range range);
