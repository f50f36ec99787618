/*
 * The two files as files: what is in their place, who may write it, and what programs left beside
 * them.
 */
#pragma once

#include "lib/subid/db.h"
#include "lib/subid/place.h"
#include "rootless-setup/subid/audit/finding.h"

struct err;

/** Reads the file of @p kind; where there is none to read, a finding says so and it is as an empty
 *  one. @return 0, or -errno when that cannot even be said (no permission) */
int audit_files_read(const struct subid_place *place, enum subid_kind kind, struct subid_db *ret,
                     struct audit_findings *findings, struct err *err);
/** Mode, owner, a missing file, locks and leftovers. */
void audit_find_files(const struct subid_place *place, struct audit_findings *findings);
/** The rule that the name of a file in /etc breaks: AUDIT_LEFTOVER, AUDIT_STALE_LOCK, or
 *  AUDIT_RULES for none. @param held  true while the caller holds the locks */
enum audit_rule_id audit_name_rule(const struct subid_place *place, const char *name, bool held);
/** What repair makes of a mode and owner. @return false when they are well */
struct stat;
bool audit_looks_mended(const struct subid_place *place, const struct stat *st, struct stat *ret);
