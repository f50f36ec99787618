/*
 * The audit of /etc/subuid and /etc/subgid: reads all there is to know of a place once, and lets
 * every family of findings look at it.
 */
#pragma once

#include "lib/subid/accounts.h"
#include "lib/subid/logindefs.h"
#include "lib/subid/nsswitch.h"
#include "rootless-setup/subid/audit/finding.h"
#include "rootless-setup/subid/audit/homes.h"
#include "rootless-setup/subid/audit/people.h"
#include "rootless-setup/subid/audit/view.h"

struct err;

/** What does not change while files are repaired. */
struct audit_ground {
    const struct subid_place *place; /**< borrowed */
    struct subid_accounts accounts;
    struct audit_people people;
    struct subid_limits limits[2];
    char limits_fault[256];        /**< "": none; else limits are shadow's defaults */
    char source[SUBID_SOURCE_MAX]; /**< "": the files */
    char source_fault[256];
    struct audit_homes homes;
};

/** What came of an audit. */
struct audit_result {
    struct audit_findings findings;
    uint64_t blocks_left; /**< in the window of login.defs */
};

int audit_ground_read(struct audit_ground *ground, const struct subid_place *place,
                      struct err *err);
void audit_ground_free(struct audit_ground *ground);
/** Findings about what the databases say, in the order of a report. They are added to
 *  @p result. @return 0 or -ENOMEM */
int audit_look(struct audit_ground *ground, const struct audit_view *view,
               struct audit_result *result, struct err *err);
