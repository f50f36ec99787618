/*
 * What /etc/login.defs says about handing out subordinate ids (login.defs(5)).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/subid/place.h"

struct err;

/** Where ranges are to come from and how large they are; both ends of the window inclusive. */
struct subid_limits {
    uint32_t min, max, count;
    bool has_min, has_max;         /**< said there, not a default */
    bool deterministic;            /**< the uid decides where a range is: see the last function */
    bool wrap;                     /**< UNSAFE_SUB_UID_DETERMINISTIC_WRAP */
    bool by_uid;                   /**< new lines name their owner by number */
    uint32_t login_min, login_max; /**< UID_MIN and UID_MAX: the same on both sides */
};

/**
 * Reads SUB_UID_MIN, SUB_UID_MAX, SUB_UID_COUNT, SUB_UID_DETERMINISTIC, SUB_UID_STORE_BY_UID, and
 * the same for gids; an absent file or key means shadow's own default: 65536 ids from 100000 to
 * 600100000, and 65536 to the last id where the range is deterministic.
 * @return 0, or -EINVAL with the line that is wrong
 */
int subid_limits_read(const struct subid_place *place, struct subid_limits ret[2], struct err *err);
/** The same out of text, which is written to. */
int subid_limits_parse(char *text, struct subid_limits ret[2], struct err *err);
/** Makes @p limits deterministic, with the defaults of that mode, if it is not so already. */
void subid_limits_make_deterministic(struct subid_limits *limits);
/**
 * The range that shadow's deterministic mode computes: the n-th user from UID_MIN has the n-th
 * block of the window.
 * @return 0; -ERANGE when @p uid is below UID_MIN or has no block in the window
 */
int subid_limits_slot(const struct subid_limits *limits, enum subid_kind kind, uint32_t uid,
                      struct subid_range *ret, struct err *err);
