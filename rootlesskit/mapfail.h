/* Why newuidmap or newgidmap did not do it, and what to do about that. */
#pragma once

#include <stddef.h>

#include "lib/subid/subid.h"

/** A clause for the end of an error line. @param program  "newuidmap" or "newgidmap"
 *  @return @p buf */
const char *mapfail_hint(enum subid_kind kind, const char *program, char *buf, size_t size);
