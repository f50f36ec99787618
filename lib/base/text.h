/*
 * A text file of /etc in memory, without heap: for programs that must not have one.
 *
 * It is mapped. Should it shrink meanwhile, the process ends with SIGBUS: only for files that
 * nobody but root can write, and before anything was done.
 */
#pragma once

#include <stddef.h>

#include "lib/base/cursor.h"

struct err;

/** A whole file; unmapped at the end of its scope. */
struct text {
    struct cursor all;
    void *map;
    size_t len;
};

void text_cleanup(struct text *text);
#define cleanup_text __attribute__((cleanup(text_cleanup)))

/**
 * @param dirfd  directory of @p name; links are followed
 * @return 0 (an absent file is an empty one), or -errno; -EINVAL when it is no regular file
 */
int text_open(int dirfd, const char *name, struct text *ret, struct err *err);
