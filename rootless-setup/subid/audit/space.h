/*
 * Which ids of a file are taken: by ranges, accounts and what the system hands out; as
 * rootless-setup subid add sees it (lib/subid/provision.h).
 */
#pragma once

#include "lib/subid/space.h"
#include "rootless-setup/subid/audit/view.h"

/** @param ret  sorted; free with subid_space_free() also on failure. @return 0 or -ENOMEM */
int audit_space_make(const struct audit_view *view, const struct audit_people *people,
                     enum subid_kind kind, struct subid_space *ret);
/** Whether no interval of a sorted space shares an id with [start, end); log n steps. */
bool audit_space_is_free(const struct subid_space *space, uint64_t start, uint64_t end);
/** The accounts' ids and the system's only. */
int audit_space_make_foreign(const struct audit_people *people, struct subid_space *ret);
