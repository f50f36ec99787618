/* What holds for the extents of every request that was taken, whichever way it came. */
#pragma once

#include "lib/idmap/extent.h"
#include "tests/fuzz/fuzz.h"

static inline bool extents_meet(uint64_t a, uint64_t a_count, uint64_t b, uint64_t b_count)
{
    return a < b + b_count && b < a + a_count;
}

static inline void require_extents(const struct idmap_extents *e)
{
    require(e->n >= 1 && e->n <= IDMAP_EXTENTS_MAX);
    for (size_t i = 0; i < e->n; i++) {
        struct idmap_extent x = e->list[i];
        require(x.count >= 1 && (uint64_t)x.inside + x.count <= UINT32_MAX &&
                (uint64_t)x.outside + x.count <= UINT32_MAX);
        for (size_t j = 0; j < i; j++)
            require(!extents_meet(x.inside, x.count, e->list[j].inside, e->list[j].count) &&
                    !extents_meet(x.outside, x.count, e->list[j].outside, e->list[j].count));
    }
}
