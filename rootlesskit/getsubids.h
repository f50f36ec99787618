/*
 * $GETSUBIDS, RootlessKit's way to name the program that knows the subordinate ids: it is run as
 * shadow's getsubids is, and its lines are read.
 */
#pragma once

#include <stddef.h>

#include "lib/subid/subid.h"

struct err;

/**
 * Lines like "0: alice 100000 65536". Blank ones and those that begin with '#' are passed over, and
 * words behind the count too, as RootlessKit does.
 * @return how many ranges; -EINVAL with the line that is none; -E2BIG when there are more than @p
 *         max
 */
int getsubids_parse(const char *text, size_t len, struct subid_range *ret, size_t max,
                    struct err *err);
/**
 * Asks by name and by uid, takes both answers. A question that fails has no ranges, unless both do.
 * @param name  NULL: by uid only
 * @return how many; -errno with what the program said
 */
int getsubids_ask(const char *program, enum subid_kind kind, const char *name, uid_t uid,
                  struct subid_range ret[SUBID_RANGES_MAX], struct err *err);
