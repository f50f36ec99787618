/*
 * Runs the probes, each in a process of its own that is killed when it is late; those that need no
 * other run side by side, for most of their time is waiting for the kernel.
 */
#pragma once

#include <stdbool.h>

#include "rootless-setup/check/probe.h"

struct err;

/** How long one probe may take before it counts as failed. */
#define CHECK_TIMEOUT_MS 5000

/** What an engine needs, of this system; all for ENGINE_ANY. */
void check_select(enum check_engine engine, bool ret_wanted[PROBES_MAX]);
/** Adds to @p wanted what those wanted need. */
void check_add_needs(bool wanted[PROBES_MAX]);
/**
 * Runs every wanted probe.
 * @param ret  one result a probe of the table; owned by the caller (munmap is not needed: it lives
 *             until the program ends)
 * @return 0 or -errno
 */
int check_run(const struct check_context *context, const bool wanted[PROBES_MAX],
              const struct check_result **ret, struct err *err);
