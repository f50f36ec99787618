#include "rootlesskit/gateway/room.h"

#include <stddef.h>

#include "lib/base/clock.h"

void room_init(struct room *room, uint32_t max, room_fn *granted)
{
    *room = (struct room){.granted = granted, .left = max};
    room->queue.next = room->queue.before = &room->queue;
}

bool room_is_open(const struct room *room, const struct room_claim *claim)
{
    return claim->has || room->left > 0;
}

static void give(struct room_claim *claim)
{
    claim->has = true;
    claim->since_ms = clock_ms();
}

void room_take(struct room *room, struct room_claim *claim)
{
    if (claim->has || room->left == 0)
        return;
    room->left--;
    give(claim);
}

void room_wait(struct room *room, struct room_claim *claim)
{
    if (room_is_waiting(claim) || room_is_open(room, claim))
        return;
    claim->next = &room->queue;
    claim->before = room->queue.before;
    claim->before->next = claim;
    room->queue.before = claim;
}

bool room_is_waiting(const struct room_claim *claim)
{
    return claim->next != NULL;
}

static void leave_queue(struct room_claim *claim)
{
    claim->next->before = claim->before;
    claim->before->next = claim->next;
    claim->next = claim->before = NULL;
}

void room_leave(struct room *room, struct room_claim *claim)
{
    if (room_is_waiting(claim))
        leave_queue(claim);
    if (!claim->has)
        return;
    claim->has = false;
    if (!room_is_wanted(room)) {
        room->left++;
        return;
    }
    struct room_claim *first = room->queue.next;
    leave_queue(first);
    give(first);
    room->granted(first);
}

bool room_is_wanted(const struct room *room)
{
    return room->queue.next != &room->queue;
}

bool room_is_overdue(const struct room *room, const struct room_claim *claim, int64_t then_ms)
{
    return claim->has && claim->since_ms < then_ms && room_is_wanted(room);
}
