/* fuse-overlayfs: the way out where the kernel's overlay does not work. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/**
 * Opens /dev/fuse and looks for fuse-overlayfs.
 * @param ret_path   where it is, "" if nowhere
 * @param ret_errno  of opening the device, or 0
 * @return true when both are there
 */
bool fuse_overlayfs_usable(char *ret_path, size_t size, int *ret_errno);
