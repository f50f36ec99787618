/* subid list where a plug-in has the ranges: it can be asked for one user at a time. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "lib/subid/source.h"
#include "rootless-setup/subid/subid.h"

struct listing {
    const struct subid_source *source;
    const char *user;
    json_t *ranges; /* NULL: lines on stdout */
    size_t n;
};

static int list_kind(struct listing *listing, enum subid_kind kind, struct err *err)
{
    const char *word = kind == SUBID_UID ? "uid" : "gid";
    cleanup_free struct subid_range *ranges = NULL;
    int n = subid_source_ranges(listing->source, kind, listing->user, &ranges, err);
    if (n < 0 && n != -ENOENT)
        return n;
    for (int i = 0; i < n; i++, listing->n++) {
        struct subid_range range = ranges[i];
        if (listing->ranges)
            (void)json_array_append_new(
                listing->ranges,
                json_pack("{s:s, s:o, s:I, s:I}", "kind", word, "owner",
                          subid_text_json(listing->user, strlen(listing->user)), "start",
                          (json_int_t)range.start, "count", (json_int_t)range.count));
        else
            printf("%s  %s  %10" PRIu32 " - %10" PRIu32 "  %10" PRIu32 "\n", listing->user, word,
                   range.start, range.start + range.count - 1, range.count);
    }
    return 0;
}

static int finish(const struct listing *listing)
{
    int status = CLI_OK;
    if (listing->ranges)
        status = subid_print_json(json_pack("{s:O}", "ranges", listing->ranges));
    else if (listing->n == 0)
        cli_error("%s has no subordinate ids in %s", listing->user,
                  subid_source_where(listing->source, SUBID_UID));
    return status == CLI_OK && listing->n == 0 ? CLI_FAILED : status;
}

static int list(const struct subid_source *source, const char *user, bool json, int *ret_status,
                struct err *err)
{
    if (!user)
        return err_set(err, EOPNOTSUPP,
                       "subordinate ids come from %s, which can be asked for one user only: "
                       "name him",
                       subid_source_where(source, SUBID_UID));
    struct listing listing = {.source = source, .user = user, .ranges = json ? json_array() : NULL};
    int r = list_kind(&listing, SUBID_UID, err);
    if (r == 0)
        r = list_kind(&listing, SUBID_GID, err);
    if (r == 0)
        *ret_status = finish(&listing);
    json_decref(listing.ranges);
    return r < 0 ? r : 1;
}

int subid_list_source(const struct subid_place *place, const char *user, bool json, int *ret_status,
                      struct err *err)
{
    struct subid_source source = {0};
    if (!place->live)
        return 0;
    int r = subid_source_open(&source, place, err);
    if (r == 0 && !subid_source_is_files(&source))
        r = list(&source, user, json, ret_status, err);
    subid_source_close(&source);
    return r;
}
