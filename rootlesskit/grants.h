/*
 * Which subordinate ids the caller has, by --subid-source. What newuidmap grants in the end is its
 * own decision: this only finds what to ask it for.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/subid/subid.h"

struct err;

struct grants {
    uid_t uid;
    char name[256];     /**< "" when passwd has no entry for the uid */
    char where[2][256]; /**< by kind: what was asked, for messages */
    bool are_files;     /**< it was the files, where rootless-setup can add some */
    struct subid_range ranges[2][SUBID_RANGES_MAX];
    size_t n[2];
};

/**
 * @param source  "static": the files. "dynamic": $GETSUBIDS where it is set, else what
 *                nsswitch.conf names. "auto": $GETSUBIDS, nsswitch.conf's source and the files, the
 * first that has ids of both kinds
 * @return 0 with at least one range of both kinds; -ENOENT with how to get some; -errno when the
 *         source cannot be asked
 */
int grants_find(struct grants *ret, const char *source, struct err *err);
/** "uids" or "gids", for messages. */
const char *grants_kind_name(enum subid_kind kind);
