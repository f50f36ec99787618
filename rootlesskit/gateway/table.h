/*
 * Equal items in memory that is reserved once and touched when first used: no heap on the path of
 * the bytes, and a bound for what strangers can cause. An item that came back is the next to go
 * out.
 *
 * Each begins with a struct table_item. A thread's own, like the loop.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/loop.h"

struct err;
struct table;

/** The first member of what a table holds; the table's. */
struct table_item {
    struct loop_grave grave; /**< or its link among the free */
    struct table *table;
    bool used;
};

struct table {
    unsigned char *items;
    struct table_item *free;
    size_t size;   /**< of an item, bytes */
    uint32_t max;  /**< items */
    uint32_t ever; /**< used at some time: [0, ever) are touched */
};

/** Zeroed memory that lives as long as the process; a page of it exists once touched.
 *  @return NULL when there is none */
void *table_reserve(size_t size);
/** Prepares @p max items of @p size bytes, a multiple of 8. @return 0 or -errno */
int table_init(struct table *table, size_t size, uint32_t max, struct err *err);
/** @return an item, zeroed behind its struct table_item; NULL when all are used */
void *table_take(struct table *table);
/** An item comes back (NULL: nothing does), and may go out again at once: events that the running
 * batch still has for a source in it find no callback, or the next user's. */
void table_give(void *item);
/** The same after @p loop's batch: no event of an old use meets the next one. */
void table_bury(struct loop *loop, void *item);
/** Its place, which it keeps: a number below the table's max. */
uint32_t table_index(const void *item);
/** Walks the used items, which may come back meanwhile. @param item  the last one, or NULL
 *  @return the next, or NULL */
void *table_next(const struct table *table, const void *item);
