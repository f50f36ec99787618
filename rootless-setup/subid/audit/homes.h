/*
 * Whose the homes are. A home may be on a file server that does not answer, so a child looks at
 * them within a time limit, without waking automounters.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "lib/subid/place.h"
#include "rootless-setup/subid/audit/finding.h"
#include "rootless-setup/subid/audit/view.h"

/** A home that does not belong to its user. */
struct audit_home {
    char user[64]; /* cut where longer */
    char path[192];
    uid_t user_uid, uid;
    gid_t user_gid, gid;
};

struct audit_homes {
    struct audit_home *items;
    size_t n, room;
    bool complete; /**< all were looked at */
};

void audit_homes_read(struct audit_homes *homes, const struct subid_place *place);
void audit_homes_free(struct audit_homes *homes);
/** Homes that belong to an id of another user's range. */
void audit_find_homes(const struct audit_view *view, const struct audit_homes *homes,
                      struct audit_findings *findings);
