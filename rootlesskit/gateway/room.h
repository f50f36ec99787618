/*
 * Memory for so many at once, and a queue of those who want some: what is given back goes to who
 * has waited longest, so whoever has had his turn is behind all others. It only counts; the memory
 * is its users'.
 *
 * Claims are embedded, and zeroed before their first use. A thread's own, like the loop.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/** Some that is had, or waited for. */
struct room_claim {
    struct room_claim *next, *before; /**< in the queue; NULL: not in it */
    int64_t since_ms;                 /**< it is had, by clock_ms() */
    bool has;
};

typedef void room_fn(struct room_claim *claim);

struct room {
    struct room_claim queue; /**< the ring's beginning */
    room_fn *granted;
    uint32_t left; /**< 0 while anybody waits */
};

/** @param granted  is called with a claim that waited and has some now; must not leave the room */
void room_init(struct room *room, uint32_t max, room_fn *granted);
/** @return whether @p claim has some, or could take it */
bool room_is_open(const struct room *room, const struct room_claim *claim);
/** Takes some, where the room is open; once is enough. */
void room_take(struct room *room, struct room_claim *claim);
/** Waits for some, where the room is not open; once is enough. */
void room_wait(struct room *room, struct room_claim *claim);
bool room_is_waiting(const struct room_claim *claim);
/** Gives back what is had, and waits no more. */
void room_leave(struct room *room, struct room_claim *claim);
/** @return whether anybody waits */
bool room_is_wanted(const struct room *room);
/** @return whether somebody waits for what @p claim has had since before @p then_ms */
bool room_is_overdue(const struct room *room, const struct room_claim *claim, int64_t then_ms);
