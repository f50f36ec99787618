/*
 * Versions of pasta and slirp4netns, and the faults that they are known to have. Pure, for tests.
 */
#pragma once

#include <stdint.h>

#include "rootless-setup/check/result.h"

/** The date in what `pasta --version` says, as 20240814, in any distribution's way of writing it;
 *  0 when it has none. */
uint32_t helper_pasta_date(const char *said);
/** "1.2.3" behind @p word as 1002003; 0 when it is not there. */
uint32_t helper_version(const char *said, const char *word);
/** Adds the worst fault of that version, and lowers the status by it. */
void helper_judge_pasta(const char *said, struct check_result *result);
/** The same for `slirp4netns --version`, which names its libslirp too. */
void helper_judge_slirp(const char *said, struct check_result *result);
