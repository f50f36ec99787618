/*
 * What a file of /etc held at one moment, in a few bytes: to tell later whether somebody has
 * written to it since.
 *
 * By content and not by inode or time: shadow's tools put a new inode in place, an editor writes to
 * the old one, and a hard link on an overlay gets an inode of its own. The hash finds accidents;
 * whoever could forge one may write the file anyway.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/subid/place.h"

struct err;

struct subid_content {
    bool exists;
    uint64_t size, hash; /**< 0 when it does not exist */
};

struct subid_content subid_content_of(const char *text, size_t len);
/** Of the present file; one that does not exist is a content too. @return 0 or -errno */
int subid_content_read(const struct subid_place *place, enum subid_kind kind,
                       struct subid_content *ret, struct err *err);
bool subid_content_equal(const struct subid_content *a, const struct subid_content *b);
