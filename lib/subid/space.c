#include "lib/subid/space.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"

void subid_space_free(struct subid_space *space)
{
    free(space->items);
    *space = (struct subid_space){0};
}

static int make_room(struct subid_space *space, size_t n, struct err *err)
{
    if (space->n + n <= space->room)
        return 0;
    size_t room = space->room ? space->room * 2 : 64;
    while (room < space->n + n)
        room *= 2;
    struct subid_interval *grown = reallocarray(space->items, room, sizeof *grown);
    if (!grown)
        return err_set(err, ENOMEM, "no memory for %zu id ranges", room);
    space->items = grown;
    space->room = room;
    return 0;
}

int subid_space_take(struct subid_space *space, struct subid_interval interval, struct err *err)
{
    if (interval.start >= interval.end)
        return 0;
    int r = make_room(space, 1, err);
    if (r < 0)
        return r;
    space->items[space->n++] = interval;
    space->sorted = false;
    return 0;
}

int subid_space_take_line(struct subid_space *space, const struct subid_line *line,
                          const char *what, struct err *err)
{
    struct subid_interval interval = {.start = line->start,
                                      .end = (uint64_t)line->start + line->count,
                                      .what = what,
                                      .who = line->owner,
                                      .who_len = line->owner_len};
    return subid_space_take(space, interval, err);
}

int subid_space_take_all(struct subid_space *space, const struct subid_space *from, struct err *err)
{
    int r = make_room(space, from->n, err);
    if (r < 0)
        return r;
    if (from->n > 0)
        memcpy(space->items + space->n, from->items, from->n * sizeof *from->items);
    space->n += from->n;
    space->sorted = false;
    return 0;
}

static int compare(const void *pa, const void *pb)
{
    const struct subid_interval *a = pa, *b = pb;
    return (a->start > b->start) - (a->start < b->start);
}

void subid_space_sort(struct subid_space *space)
{
    if (!space->sorted && space->n > 0)
        qsort(space->items, space->n, sizeof *space->items, compare);
    uint64_t reach = 0;
    for (size_t i = 0; i < space->n; i++) {
        if (space->items[i].end > reach)
            reach = space->items[i].end;
        space->items[i].reach = reach;
    }
    space->sorted = true;
}

/* Number of intervals that start below @p end. */
static size_t count_below(const struct subid_space *space, uint64_t end)
{
    size_t low = 0, high = space->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (space->items[middle].start < end)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct subid_interval *subid_space_hit(const struct subid_space *space, uint64_t start,
                                             uint64_t end)
{
    for (size_t i = space->sorted ? count_below(space, end) : space->n; i > 0; i--) {
        const struct subid_interval *item = &space->items[i - 1];
        if (space->sorted && item->reach <= start)
            return NULL;
        if (item->start < end && start < item->end)
            return item;
    }
    return NULL;
}

uint64_t subid_space_count(const struct subid_space *space, uint64_t start, uint64_t end)
{
    uint64_t n = 0, at = start;
    for (size_t i = 0; i < space->n; i++) {
        uint64_t from = space->items[i].start > at ? space->items[i].start : at;
        uint64_t to = space->items[i].end < end ? space->items[i].end : end;
        if (from < to) {
            n += to - from;
            at = to;
        }
    }
    return n;
}

void subid_fit_begin(struct subid_fit *fit, struct subid_space *space, uint32_t min, uint32_t max,
                     uint32_t count)
{
    subid_space_sort(space);
    *fit = (struct subid_fit){.space = space, .at = min, .end = (uint64_t)max + 1, .count = count};
}

bool subid_fit_next(struct subid_fit *fit, uint32_t *ret_start)
{
    const struct subid_space *space = fit->space;
    for (; fit->next < space->n && space->items[fit->next].start < fit->at + fit->count;
         fit->next++)
        if (space->items[fit->next].end > fit->at)
            fit->at = space->items[fit->next].end;
    if (fit->at + fit->count > fit->end)
        return false;
    *ret_start = (uint32_t)fit->at;
    fit->at += fit->count;
    return true;
}
