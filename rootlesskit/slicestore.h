/*
 * The book of slices (slicebook.h) on disk: $XDG_DATA_HOME/rootlesskit/slices, else below
 * ~/.local/share. Only the user may look at it; whoever changes it holds the lock beside it, and
 * replaces the file as a whole.
 */
#pragma once

#include <stdint.h>

#include "rootlesskit/slice.h"

struct err;

/**
 * The piece of the state directory @p dir, which is remembered from now on; meaning and parameters
 * as of slicebook_choose().
 * @return 0 or -errno
 */
int slicestore_claim(const char *dir, struct slice wanted, uint32_t total, struct slice *ret,
                     struct err *err);
