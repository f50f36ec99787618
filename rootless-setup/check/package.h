/*
 * What apt and dpkg note of an installed package: whether `apt autoremove` would take it away.
 * Pure, for tests: the texts are those of /var/lib/apt/extended_states and /var/lib/dpkg/status.
 */
#pragma once

#include <stdbool.h>

/** Whether it was installed because something else wanted it. @param states  of apt */
bool package_is_auto(const char *states, const char *name);
/** Whether an installed package depends on it, or recommends or suggests it, for which apt keeps
 *  it. @param status  of dpkg */
bool package_is_wanted(const char *status, const char *name);
/** Whether a file is the package's. @param list  its list of dpkg, a path a line */
bool package_has_file(const char *list, const char *path);
