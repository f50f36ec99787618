#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "libsubid/grant.h"
#include "libsubid/lookup.h"
#include "libsubid/shadow/subid.h"

#define PUBLIC __attribute__((visibility("default")))

/* Set by subid_init(), which comes before any other thread. */
static struct {
    bool set;
    char *name;
    FILE *file;
} speaker;

PUBLIC bool subid_init(const char *progname, FILE *logfd)
{
    char *name = progname ? strdup(progname) : NULL;
    if (progname && !name)
        return false;
    free(speaker.name);
    speaker.set = true;
    speaker.name = name;
    speaker.file = logfd;
    return true;
}

PUBLIC void subid_free(void *ptr)
{
    free(ptr);
}

static void say(const struct err *err)
{
    FILE *file = speaker.set ? speaker.file : stderr;
    if (file)
        (void)fprintf(file, "%s: %s\n", speaker.name ? speaker.name : "(libsubid)", err->msg);
}

static int get_ranges(bool gids, const char *owner, struct subid_range **ret)
{
    struct err err = {0};
    struct lookup_range *found = NULL;
    *ret = NULL;
    int n = lookup_ranges(gids, owner, &found, &err);
    if (n <= 0) {
        if (n < 0)
            say(&err);
        return n < 0 ? -1 : 0;
    }
    struct subid_range *ranges = calloc((size_t)n, sizeof *ranges);
    for (int i = 0; ranges && i < n; i++)
        ranges[i] = (struct subid_range){.start = found[i].start, .count = found[i].count};
    free(found);
    *ret = ranges;
    return ranges ? n : -1;
}

PUBLIC int subid_get_uid_ranges(const char *owner, struct subid_range **ranges)
{
    return get_ranges(false, owner, ranges);
}

PUBLIC int subid_get_gid_ranges(const char *owner, struct subid_range **ranges)
{
    return get_ranges(true, owner, ranges);
}

static int get_owners(bool gids, uint32_t id, uid_t **ret)
{
    struct err err = {0};
    int n = lookup_owners(gids, id, ret, &err);
    if (n < 0)
        say(&err);
    return n < 0 ? -1 : n;
}

PUBLIC int subid_get_uid_owners(uid_t uid, uid_t **owner)
{
    return get_owners(false, uid, owner);
}

PUBLIC int subid_get_gid_owners(gid_t gid, uid_t **owner)
{
    return get_owners(true, gid, owner);
}

static void say_notes(const struct err notes[GRANT_NOTES])
{
    for (int i = 0; i < GRANT_NOTES; i++)
        if (notes[i].code != 0)
            say(&notes[i]);
}

static bool give(bool gids, struct subordinate_range *range, bool reuse)
{
    struct err err = {0}, notes[GRANT_NOTES] = {0};
    struct grant grant = {.gids = gids, .owner = range->owner, .count = range->count};
    int r = grant_make(&grant, reuse, notes, &err);
    say_notes(notes);
    if (r < 0) {
        say(&err);
        return false;
    }
    range->start = grant.start;
    range->count = grant.count;
    return true;
}

PUBLIC bool subid_grant_uid_range(struct subordinate_range *range, bool reuse)
{
    return give(false, range, reuse);
}

PUBLIC bool subid_grant_gid_range(struct subordinate_range *range, bool reuse)
{
    return give(true, range, reuse);
}

static bool take_back(bool gids, const struct subordinate_range *range)
{
    struct err err = {0}, notes[GRANT_NOTES] = {0};
    struct grant grant = {
        .gids = gids, .owner = range->owner, .start = range->start, .count = range->count};
    int r = grant_revoke(&grant, notes, &err);
    say_notes(notes);
    if (r < 0) {
        say(&err);
        return false;
    }
    return true;
}

PUBLIC bool subid_ungrant_uid_range(struct subordinate_range *range)
{
    return take_back(false, range);
}

PUBLIC bool subid_ungrant_gid_range(struct subordinate_range *range)
{
    return take_back(true, range);
}
