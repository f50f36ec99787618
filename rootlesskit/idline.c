#include "rootlesskit/idline.h"

#include <errno.h>
#include <stdbool.h>

#include "lib/base/err.h"

static bool is_repeated(const struct subid_range *ranges, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (ranges[j].start == ranges[i].start && ranges[j].count == ranges[i].count)
            return true;
    return false;
}

static void add(struct idline *line, uint32_t start, uint32_t count)
{
    if (count == 0)
        return;
    line->items[line->n++] = (struct subid_range){.start = start, .count = count};
    line->total += count;
}

static int check_overlap(const struct idline *line, struct subid_range range, const char *what,
                         struct err *err)
{
    for (size_t i = 0; i < line->n; i++) {
        struct subid_range other = line->items[i];
        if (range.start < other.start + other.count && other.start < range.start + range.count)
            return err_set(err, EINVAL,
                           "the ranges %u:%u and %u:%u of your subordinate %s overlap, and an id "
                           "can be mapped once only; sudo rootless-setup subid repair mends that",
                           other.start, other.count, range.start, range.count, what);
    }
    return 0;
}

int idline_make(struct idline *ret, const struct subid_range *ranges, size_t n, uint32_t own,
                const char *what, struct err *err)
{
    *ret = (struct idline){.n = 0};
    for (size_t i = 0; i < n; i++) {
        struct subid_range range = ranges[i];
        if (is_repeated(ranges, i))
            continue;
        int r = check_overlap(ret, range, what, err);
        if (r < 0)
            return r;
        /* one more id: the root of a plain map */
        if (range.count >= UINT32_MAX - ret->total || ret->n + 2 > IDLINE_MAX)
            return err_set(err, ERANGE,
                           "your subordinate %s are more than a user namespace can hold (%d ranges "
                           "and 4294967294 ids)",
                           what, SUBID_RANGES_MAX);
        bool has_own = own >= range.start && own - range.start < range.count;
        add(ret, range.start, has_own ? own - range.start : range.count);
        if (has_own)
            add(ret, own + 1, range.start + range.count - own - 1);
    }
    return 0;
}

void idline_cut(struct idline *line, uint32_t offset, uint32_t count)
{
    size_t n = line->n;
    line->n = 0; /* what is kept never gets ahead of what is read */
    line->total = 0;
    for (size_t i = 0; i < n && count > 0; i++) {
        struct subid_range range = line->items[i];
        if (offset >= range.count) {
            offset -= range.count;
            continue;
        }
        uint32_t left = range.count - offset;
        uint32_t taken = left < count ? left : count;
        add(line, range.start + offset, taken);
        count -= taken;
        offset = 0;
    }
}
