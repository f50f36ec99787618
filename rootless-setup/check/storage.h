/* Where engines keep images, and on what kind of file system that is. */
#pragma once

#include <stddef.h>

#include "rootless-setup/check/subject.h"

/** The directory for images, or the nearest one above that is there already. @return it, in @p buf
 *  or in @p subject */
const char *storage_dir(const struct check_subject *subject, char *buf, size_t size);
/** "ext4", "NFS", ...; NULL for an unknown one */
const char *storage_type(const char *dir);
