/*
 * The records of past changes, one file each, named by number, in
 * /var/lib/rootless-toolkit/subid (below the root for an image). The newest SUBID_RECORDS_MAX stay.
 *
 * The folder is made when it is needed, mode 0700; an image that has no /var/lib gets none and
 * keeps no records. Numbers go up from 1 and say the order.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/subid/change.h"
#include "lib/subid/place.h"

struct err;

#define SUBID_RECORDS_MAX 64

struct subid_records {
    const struct subid_place *place; /**< borrowed */
    int dir_fd;                      /**< -EBADF: there is no folder */
    uint32_t *numbers;               /**< ascending */
    size_t n;
};

/** What is there. No folder is no error. Close with the next. */
int subid_records_open(struct subid_records *records, const struct subid_place *place,
                       struct err *err);
void subid_records_close(struct subid_records *records);
/** One above the highest there is. */
uint32_t subid_records_next(const struct subid_records *records);
/** @return 0; -ENOENT when there is no such record; -EINVAL on a file that is none */
int subid_records_read(const struct subid_records *records, uint32_t number,
                       struct subid_change *ret, struct err *err);
/** Writes a record, whole or not at all, and removes those that are too old. Again is the same.
 *  @return 0 (also for an image that keeps none) or -errno */
int subid_record_put(const struct subid_place *place, uint32_t number, const char *text, size_t len,
                     struct err *err);
