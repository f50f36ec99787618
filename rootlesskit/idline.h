/*
 * A user's subordinate ids as one line 0 .. total-1: his ranges in the order of their source. An id
 * map is the line or a piece of it. Pure: no files, no heap.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/subid/subid.h"

struct err;

/** The user's own id may cut one range in two. */
#define IDLINE_MAX (SUBID_RANGES_MAX + 1)

struct idline {
    struct subid_range items[IDLINE_MAX];
    size_t n;
    uint32_t total; /**< ids of all items together */
};

/**
 * Ranges that are there twice count once. The user's own id is left out: an id may be mapped once,
 * and it is the root of a plain map.
 * @param what  "uids" or "gids", for messages
 * @return 0; -EINVAL when two ranges overlap, -ERANGE when a user namespace cannot hold them all
 */
int idline_make(struct idline *ret, const struct subid_range *ranges, size_t n, uint32_t own,
                const char *what, struct err *err);
/** Leaves the piece [offset, offset + count), which the caller knows to lie within the line. */
void idline_cut(struct idline *line, uint32_t offset, uint32_t count);
