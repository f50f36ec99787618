#include "libsubid/lookup.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/subid/source.h"

struct asking {
    struct subid_place place;
    struct subid_source source;
};

static int begin(struct asking *asking, struct err *err)
{
    *asking = (struct asking){.place.etc_fd = -EBADF};
    int r = subid_place_open(&asking->place, NULL, err);
    return r < 0 ? r : subid_source_open(&asking->source, &asking->place, err);
}

static void end(struct asking *asking)
{
    subid_source_close(&asking->source);
    subid_place_close(&asking->place);
}

static int widen(const struct subid_range *ranges, int n, struct lookup_range **ret,
                 struct err *err)
{
    *ret = NULL;
    if (n <= 0 || !ranges)
        return 0;
    struct lookup_range *wide = calloc((size_t)n, sizeof *wide);
    if (!wide)
        return err_set(err, ENOMEM, "no memory for %d ranges", n);
    for (int i = 0; i < n; i++)
        wide[i] = (struct lookup_range){.start = ranges[i].start, .count = ranges[i].count};
    *ret = wide;
    return n;
}

int lookup_ranges(bool gids, const char *owner, struct lookup_range **ret, struct err *err)
{
    struct asking asking;
    cleanup_free struct subid_range *ranges = NULL;
    *ret = NULL;
    int r = begin(&asking, err);
    if (r == 0)
        r = subid_source_ranges(&asking.source, gids ? SUBID_GID : SUBID_UID, owner, &ranges, err);
    end(&asking);
    return r < 0 ? r : widen(ranges, r, ret, err);
}

int lookup_owners(bool gids, uint32_t id, uid_t **ret, struct err *err)
{
    struct asking asking;
    *ret = NULL;
    int r = begin(&asking, err);
    if (r == 0)
        r = subid_source_owners(&asking.source, gids ? SUBID_GID : SUBID_UID, id, ret, err);
    end(&asking);
    return r;
}
