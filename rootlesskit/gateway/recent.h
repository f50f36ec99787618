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
/** @return the link used longest ago when that is @p idle_ms or more before @p now_ms, else NULL */
struct recent_link *recent_idle(const struct recent *list, int64_t idle_ms, int64_t now_ms);

/** container_of for embedded links. */
#define recent_owner(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
