/*
 * Repair: the changes of the two databases that take no id from anyone who may own files.
 *
 * Ids are given in two cases only: a line that blanks or a carriage return make newuidmap skip
 * becomes one it takes, and a user with ranges in one file gets the very same in the other; both
 * only to a user there is, and where the ids are nobody's. Doing it twice changes nothing more.
 */
#pragma once

#include <stdbool.h>

#include "lib/subid/db.h"
#include "lib/subid/place.h"
#include "rootless-setup/subid/audit/finding.h"
#include "rootless-setup/subid/audit/people.h"
#include "rootless-setup/subid/audit/view.h"

struct err;

/**
 * Changes @p db in memory.
 * @param view    of the databases as they are
 * @param mended  what was done: findings whose message says what became of the line; owner, start
 *                and end are set where ids were given or taken
 */
int audit_mend(struct subid_db db[2], const struct audit_view *view, struct audit_people *people,
               bool remove_gone, struct audit_findings *mended, struct err *err);

/** Files that are left behind, mode and owner; with @p dry_run only said. The caller holds the
 *  locks, or it is a dry run. @return 0 or -errno */
int audit_mend_files(const struct subid_place *place, bool dry_run, struct audit_findings *mended,
                     struct err *err);
