/*
 * Why a unit does not run, from what it wrote: the errors that rootless-setup explain knows.
 */
#pragma once

#include <stdio.h>

#include "rootless-setup/explain/match.h"

/** What is known of the end of a unit's log. */
struct failure {
    char log[16384];               /**< its last lines */
    const struct explain_row *row; /**< the error that explains it, or NULL */
};

void failure_read(const char *unit, struct failure *ret);
/** Prints the last lines and the cause. */
void failure_tell(const char *unit, FILE *out);
