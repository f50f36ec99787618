/*
 * --subid-slice: a piece of the caller's subordinate ids is all that an instance maps, his own id
 * is not in it. So two instances of one user share no id, and no process in them can act as him.
 * slicebook.h remembers whose piece is whose.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;

/** The size of a piece that is not given: all that a container image may use. */
#define SLICE_COUNT 65536

enum slice_kind { SLICE_NONE, SLICE_AUTO, SLICE_GIVEN };

/** Ids [offset, offset + count) of the line (idline.h); count >= 1 where they are known. */
struct slice {
    enum slice_kind kind;
    uint32_t offset;
    uint32_t count;
};

/** "auto" or "OFFSET:COUNT"; NULL: none. @return 0; -EINVAL with the line to print */
int slice_parse(struct slice *ret, const char *text, struct err *err);
static inline bool slice_overlaps(struct slice a, struct slice b)
{
    return a.offset < b.offset + b.count && b.offset < a.offset + a.count;
}
/**
 * In the child, with the maps written: becomes root of its piece, and gives up what else a process
 * keeps of its user, which is his other groups and his session keyring.
 */
int slice_become_root(struct err *err);
