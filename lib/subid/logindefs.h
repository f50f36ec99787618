/*
 * What /etc/login.defs says about handing out subordinate ids (login.defs(5)).
 */
#pragma once

#include <stdint.h>

#include "lib/subid/place.h"

struct err;

/** Where ranges are to come from and how large they are; both ends of the window inclusive. */
struct subid_limits {
    uint32_t min, max, count;
};

/**
 * Reads SUB_UID_MIN, SUB_UID_MAX, SUB_UID_COUNT and the gid three; an absent file or key means
 * shadow's own default: 65536 ids from 100000 to 600100000.
 * @return 0, or -EINVAL with the line that is wrong
 */
int subid_limits_read(const struct subid_place *place, struct subid_limits ret[2], struct err *err);
/** The same out of text, which is written to. */
int subid_limits_parse(char *text, struct subid_limits ret[2], struct err *err);
