#include "rootless-setup/subid/audit/families.h"

#include "rootless-setup/subid/audit/space.h"

/* Fewer blocks left are worth a warning: a class of students may come on one day. */
#define FEW 100

/* Blocks of @p count that fit into the gaps of [at, end). */
static uint64_t count_blocks(const struct subid_space *space, uint64_t at, uint64_t end,
                             uint32_t count)
{
    uint64_t n = 0;
    for (size_t i = 0; i < space->n && at < end; i++) {
        uint64_t gap_end = space->items[i].start < end ? space->items[i].start : end;
        if (gap_end > at)
            n += (gap_end - at) / count;
        if (space->items[i].end > at)
            at = space->items[i].end;
    }
    return at < end ? n + (end - at) / count : n;
}

uint64_t audit_find_window(const struct audit_view *view, const struct audit_people *people,
                           const struct subid_limits limits[2], struct audit_findings *findings)
{
    uint64_t least = UINT64_MAX;
    for (int kind = SUBID_UID; kind <= SUBID_GID; kind++) {
        const struct subid_limits *window = &limits[kind];
        const char *what = kind == SUBID_UID ? "uids" : "gids";
        struct audit_finding finding = {.no_file = true, .kind = (enum subid_kind)kind};
        if (window->count == 0) /* how login.defs says that useradd gives none */
            continue;
        struct subid_space space = {0};
        if (audit_space_make(view, people, (enum subid_kind)kind, &space) < 0)
            findings->no_memory = true;
        uint64_t n = count_blocks(&space, window->min, (uint64_t)window->max + 1, window->count);
        subid_space_free(&space);
        least = n < least ? n : least;
        finding.rule = window->max < window->min || window->max - window->min < window->count - 1
                           ? AUDIT_WINDOW_BAD
                           : AUDIT_WINDOW_FULL;
        if (n < FEW)
            audit_find(findings, finding, "%llu blocks of %u %s are left between %u and %u",
                       (unsigned long long)n, window->count, what, window->min, window->max);
    }
    return least == UINT64_MAX ? 0 : least;
}
