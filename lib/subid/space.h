/*
 * Which ids are taken, as a sorted list of intervals, and the search for a gap among them.
 *
 * All arithmetic is on half-open 64-bit intervals, so that nothing wraps at 2^32.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/subid/line.h"

struct err;

struct subid_interval {
    uint64_t start, end; /**< half-open */
    const char *what;    /**< whose, for messages: "the range of"; borrowed */
    const char *who;     /**< its owner or name, not NUL-terminated; borrowed */
    size_t who_len;
    uint64_t reach; /**< the furthest end up to here, once sorted */
};

struct subid_space {
    struct subid_interval *items;
    size_t n, room;
    bool sorted;
};

void subid_space_free(struct subid_space *space);
/** Marks an interval as taken. Intervals may overlap one another; an
 *  empty one is nothing. @return 0 or -ENOMEM */
int subid_space_take(struct subid_space *space, struct subid_interval interval, struct err *err);
/** The ids of a line, its owner's. @param what  as in the interval; borrowed, as the line's text */
int subid_space_take_line(struct subid_space *space, const struct subid_line *line,
                          const char *what, struct err *err);
/** Everything of @p from as well. */
int subid_space_take_all(struct subid_space *space, const struct subid_space *from,
                         struct err *err);
/** Sorts it, which makes the next two fast. */
void subid_space_sort(struct subid_space *space);
/** An interval that shares an id with [start, end), or NULL. Looks at every one while the space is
 *  unsorted. */
const struct subid_interval *subid_space_hit(const struct subid_space *space, uint64_t start,
                                             uint64_t end);
/** Ids of [start, end) that are taken, each counted once. The space must be sorted. */
uint64_t subid_space_count(const struct subid_space *space, uint64_t start, uint64_t end);

/**
 * First-fit search. It moves upwards only, so that all the blocks of one size that a command hands
 * out cost one walk over the space; each block is taken by the search itself.
 */
struct subid_fit {
    const struct subid_space *space; /**< sorted when the search begins, unchanged during it */
    uint64_t at, end;                /**< the window that is left, half-open */
    size_t next;
    uint32_t count;
};

/** @param min, max  the window, both inclusive. @param count  size of each block */
void subid_fit_begin(struct subid_fit *fit, struct subid_space *space, uint32_t min, uint32_t max,
                     uint32_t count);
/** @return true and the start of the next block; false when no gap is left */
bool subid_fit_next(struct subid_fit *fit, uint32_t *ret_start);
