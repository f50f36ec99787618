#include "lib/idmap/extent.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/subid/line.h"

const char *idmap_kind_name(enum subid_kind kind)
{
    return kind == SUBID_UID ? "uid" : "gid";
}

const char *idmap_extent_text(const struct idmap_extent *extent, char buf[IDMAP_EXTENT_TEXT_MAX])
{
    (void)str_format(buf, IDMAP_EXTENT_TEXT_MAX, "[%u-%u) -> [%u-%u)", extent->inside,
                     extent->inside + extent->count, extent->outside,
                     extent->outside + extent->count);
    return buf;
}

static int parse_word(enum subid_kind kind, const char *what, const char *word, uint32_t min,
                      uint32_t max, uint32_t *ret, struct err *err)
{
    uint64_t value = 0;
    if (!subid_number(word, strlen(word), max, &value) || value < min)
        return err_set(err, EINVAL,
                       "%s: \"%s\" is not a number from %u to %u (else sub%s overflow detected)",
                       what, word, min, max, idmap_kind_name(kind));
    *ret = (uint32_t)value;
    return 0;
}

int idmap_extents_parse(enum subid_kind kind, size_t n_words, char *const *words,
                        struct idmap_extents *ret, struct err *err)
{
    const char *what = idmap_kind_name(kind);
    if (n_words == 0)
        return err_set(err, EINVAL, "no %s range given: nothing to map", what);
    if (n_words % 3 != 0)
        return err_set(err, EINVAL,
                       "ranges: %zu words do not make whole \"%s lower%s count\" triplets", n_words,
                       what, what);
    if (n_words / 3 > IDMAP_EXTENTS_MAX)
        return err_set(err, E2BIG, "%zu %s ranges given, the kernel takes at most %d", n_words / 3,
                       what, IDMAP_EXTENTS_MAX);

    const char *outside = kind == SUBID_UID ? "loweruid" : "lowergid";
    for (size_t i = 0; i < n_words / 3; i++) {
        struct idmap_extent e = {0};
        int r = parse_word(kind, what, words[3 * i], 0, UINT32_MAX - 1, &e.inside, err);
        if (r == 0)
            r = parse_word(kind, outside, words[3 * i + 1], 0, UINT32_MAX - 1, &e.outside, err);
        if (r == 0) {
            uint32_t top = e.inside > e.outside ? e.inside : e.outside;
            r = parse_word(kind, "count", words[3 * i + 2], 1, UINT32_MAX - top, &e.count, err);
        }
        if (r < 0)
            return r;
        ret->list[i] = e;
    }
    ret->n = n_words / 3;
    return 0;
}

static bool overlap(uint32_t a, uint32_t a_count, uint32_t b, uint32_t b_count)
{
    return a < b + b_count && b < a + a_count;
}

int idmap_extents_check(enum subid_kind kind, const struct idmap_extents *extents, struct err *err)
{
    for (size_t i = 1; i < extents->n; i++) {
        const struct idmap_extent *a = &extents->list[i];
        for (size_t j = 0; j < i; j++) {
            const struct idmap_extent *b = &extents->list[j];
            bool inside = overlap(a->inside, a->count, b->inside, b->count);
            if (!inside && !overlap(a->outside, a->count, b->outside, b->count))
                continue;
            char at[IDMAP_EXTENT_TEXT_MAX], bt[IDMAP_EXTENT_TEXT_MAX];
            return err_set(err, EINVAL,
                           "%s range %s overlaps range %s %s the namespace: an id can be mapped "
                           "once only",
                           idmap_kind_name(kind), idmap_extent_text(a, at),
                           idmap_extent_text(b, bt), inside ? "inside" : "outside");
        }
    }
    return 0;
}

int idmap_extents_format(const struct idmap_extents *extents, size_t page, char buf[IDMAP_TEXT_MAX],
                         struct err *err)
{
    size_t used = 0;
    for (size_t i = 0; i < extents->n; i++) {
        const struct idmap_extent *e = &extents->list[i];
        int n = str_format(buf + used, IDMAP_TEXT_MAX - used, "%u %u %u\n", e->inside, e->outside,
                           e->count);
        if (n < 0 || used + (size_t)n >= page) {
            char text[IDMAP_EXTENT_TEXT_MAX];
            return err_set(err, E2BIG,
                           "%zu ranges make a map of more than %zu bytes, which is all the kernel "
                           "takes; the first too many is range %zu, %s",
                           extents->n, page - 1, i + 1, idmap_extent_text(e, text));
        }
        used += (size_t)n;
    }
    return (int)used;
}
