/*
 * The commit mark: /etc/subid.rootless-commit, there from the moment a change is decided until it
 * is carried out whole. Its text is the change (change.h). transact.c says what it means.
 */
#pragma once

#include <stddef.h>

#include "lib/subid/change.h"

struct err;

#define SUBID_MARK "subid.rootless-commit"

/** Makes the mark appear, whole and on disk, with everything that was written before it. */
int subid_mark_set(const struct subid_place *place, const char *text, size_t len, struct err *err);
/** @return 0; -ENOENT without a message when there is none; -EINVAL when it is not ours */
int subid_mark_read(const struct subid_place *place, struct subid_change *ret, struct err *err);
/** Takes it away; that is on disk when this returns. */
int subid_mark_clear(const struct subid_place *place, struct err *err);
/** Syncs the names in /etc; a file system that cannot is not ours to mend. */
int subid_names_sync(const struct subid_place *place, struct err *err);
