/*
 * A list by last use: what was used longest ago is found at once. Owners embed the links; nothing
 * here is allocated.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct recent_link {
    struct recent_link *newer, *older;
    int64_t used_ms;
};

struct recent {
    struct recent_link *newest, *oldest;
};

/** Adds a link that is on no list, as used at @p now_ms. */
void recent_add(struct recent *list, struct recent_link *link, int64_t now_ms);
void recent_remove(struct recent *list, struct recent_link *link);
/** It was used again. */
void recent_touch(struct recent *list, struct recent_link *link, int64_t now_ms);

/** @return whether what the link is of must not end now: a datagram waits on its socket, say */
typedef bool recent_busy_fn(struct recent_link *link);

/** Whom to end for want of room. A busy one is passed over, and is used as of @p now_ms from then
 *  on; where many are busy, one of them has to do.
 *  @return the link used longest ago, NULL of an empty list */
struct recent_link *recent_spare(struct recent *list, recent_busy_fn *is_busy, int64_t now_ms);
/** Whom to end because its time is up; busy ones as above.
 *  @param idle_ms  more than 0
 *  @return the link used longest ago when that is @p idle_ms or more before @p now_ms, else NULL */
struct recent_link *recent_idle(struct recent *list, int64_t idle_ms, recent_busy_fn *is_busy,
                                int64_t now_ms);

/** container_of for embedded links. */
#define recent_owner(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
