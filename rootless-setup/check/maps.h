/*
 * Maps of ids as engines have them: with the user's own id as 0 and all his ranges behind it,
 * written by newuidmap and newgidmap. They are run from $PATH as the user, whom this process is.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "lib/subid/subid.h"

struct check_subject;
struct err;

/** What came of running a helper. */
struct maps_attempt {
    const char *program; /**< "newuidmap" */
    char path[4096];     /**< where $PATH has it; "" if nowhere */
    int status;          /**< wait status; -errno when it could not be run */
    uint64_t ids;        /**< that it was asked to map */
    char said[256];      /**< the first line it wrote */
};

/** Has the helper map the user namespace of @p target, a child of ours without a map. */
void maps_try(pid_t target, enum subid_kind kind, const struct check_subject *subject,
              struct maps_attempt *ret, struct err *err);
/** The ranges that newuidmap or newgidmap grants the user. @return how many, or -errno */
int maps_ranges(const struct check_subject *subject, enum subid_kind kind,
                struct subid_range ret[SUBID_RANGES_MAX]);
/** How many ids the user namespace of a process has; 0 when that cannot be read. */
uint64_t maps_count(pid_t pid, enum subid_kind kind);
