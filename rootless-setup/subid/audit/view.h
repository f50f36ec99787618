/*
 * Both files as the audit looks at them: the ranges that newuidmap takes, each with its owner, and
 * each owner once. Everything is sorted here, so that the families of findings walk and never
 * search.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/subid/db.h"
#include "rootless-setup/subid/audit/finding.h"
#include "rootless-setup/subid/audit/people.h"

struct err;

struct audit_range {
    enum subid_kind kind;
    size_t entry; /**< index in its database; the line is one more */
    size_t owner; /**< index in the view */
    size_t user;  /**< the owner's */
    uint64_t start, end;
};

struct audit_view {
    const struct subid_db *db[2]; /**< borrowed */
    struct audit_range *ranges;   /**< by user, kind, start */
    size_t n_ranges;
    struct audit_range *by_start; /**< the same by kind, start */
    struct audit_owner *owners;   /**< by text */
    size_t n_owners;
};

/**
 * Reads the two databases: lines as they are to be written, without what is appended.
 * @param known  an older view, whose owners are not looked up again; or NULL
 */
int audit_view_make(struct audit_view *view, const struct subid_db db[2],
                    struct audit_people *people, const struct audit_view *known, struct err *err);
void audit_view_free(struct audit_view *view);
/** The start of a finding about a range. */
struct audit_finding audit_at_range(const struct audit_view *view, enum audit_rule_id rule,
                                    const struct audit_range *range);
/** The start of a finding about any line. */
struct audit_finding audit_at_entry(const struct subid_db *db, enum audit_rule_id rule,
                                    size_t entry);
/** Index behind the ranges of the user that @p first is the first of. */
size_t audit_user_end(const struct audit_view *view, size_t first);
