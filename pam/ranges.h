/*
 * Subordinate ids for a user who has none.
 */
#pragma once

#include <stdbool.h>

struct notes;
struct subject;

/** Runs in the helper: it walks through the name service's users.
 *  @param may_give false: only looks
 *  @param wait_ms  for the locks of the files
 *  @return whether he has ids in the end, as far as the files say; where another source has them,
 *          that is its business, and true */
bool ranges_provide(const struct subject *subject, bool may_give, unsigned wait_ms,
                    struct notes *notes);
