/*
 * Ranges and owners, each question with a source of its own: nothing is kept between two calls, so
 * that threads do not meet and a change of nsswitch.conf is seen.
 *
 * In terms that do not meet those of the public header, whose struct subid_range is another than
 * lib/subid's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct lookup_range {
    unsigned long start, count;
};

/** @param ret  freed with free(3); NULL when there are none. @return how many, or -errno */
int lookup_ranges(bool gids, const char *owner, struct lookup_range **ret, struct err *err);
/** @param ret  as above. @return how many, or -errno */
int lookup_owners(bool gids, uint32_t id, uid_t **ret, struct err *err);
