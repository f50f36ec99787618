/* Where engines keep images, and on what kind of file system that is. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "rootless-setup/check/probe.h"

/** The directory for images of the engine that is asked for, or the nearest one above that is there
 *  already. @return it, in @p buf or in @p context */
const char *storage_dir(const struct check_context *context, char *buf, size_t size);
/** "ext4", "NFS", ...; NULL for an unknown one */
const char *storage_type(const char *dir);
/** Whether nothing could be written for want of room or of a right to write at all, which says
 *  nothing of what was to be tried there. Says so as a hint. */
bool storage_no_room(int code, const char *dir, struct check_result *result);
