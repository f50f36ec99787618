#include "uidmapd/queue.h"

void queue_init(struct queue *queue, int n_slots)
{
    *queue = (struct queue){.n_slots = n_slots < QUEUE_SLOTS_MAX ? n_slots : QUEUE_SLOTS_MAX};
    for (int i = 0; i < QUEUE_SLOTS_MAX; i++)
        queue->slots[i].user = -1;
}

static void refill(struct queue_user *user, int64_t now_ms)
{
    int64_t more = (now_ms - user->filled_ms) * QUEUE_REFILL_PER_S / 1000;
    if (more <= 0)
        return;
    if (more >= QUEUE_BURST - (int64_t)user->tokens) {
        user->tokens = QUEUE_BURST;
        user->filled_ms = now_ms;
    } else {
        user->tokens += (uint32_t)more;
        user->filled_ms += more * 1000 / QUEUE_REFILL_PER_S; /* the fraction is kept for later */
    }
}

/* The user's record: the one there is, else an unused one, else of those with nothing under way
 * the one with the fullest bucket, whose forgetting gives least away. */
static int find_user(struct queue *queue, uid_t uid, int64_t now_ms)
{
    int best = -1;
    for (int i = 0; i < QUEUE_USERS_MAX; i++) {
        struct queue_user *user = &queue->users[i];
        if (user->used && user->uid == uid) {
            refill(user, now_ms);
            return i;
        }
        if (user->waiting > 0 || user->running > 0)
            continue;
        if (user->used)
            refill(user, now_ms);
        else
            user->tokens = QUEUE_BURST;
        if (best < 0 || user->tokens > queue->users[best].tokens)
            best = i;
    }
    if (best >= 0)
        queue->users[best] = (struct queue_user){
            .used = true, .uid = uid, .tokens = QUEUE_BURST, .filled_ms = now_ms};
    return best;
}

/* One that has not sent anything, the oldest; else the one that would wait longest. */
static bool is_better_victim(const struct queue_slot *a, const struct queue_slot *b)
{
    if (a->ready != b->ready)
        return !a->ready;
    return a->ready ? a->seq > b->seq : a->seq < b->seq;
}

static int find_victim(const struct queue *queue, int for_user)
{
    int richest = for_user, victim = -1;
    for (int i = 0; i < QUEUE_USERS_MAX; i++)
        if (queue->users[i].waiting > queue->users[richest].waiting)
            richest = i;
    if (queue->users[richest].waiting <= queue->users[for_user].waiting + 1)
        return -1;
    for (int i = 0; i < queue->top; i++)
        if (queue->slots[i].user == richest &&
            (victim < 0 || is_better_victim(&queue->slots[i], &queue->slots[victim])))
            victim = i;
    return victim;
}

static int free_slot(const struct queue *queue)
{
    for (int i = 0; i < queue->n_slots; i++)
        if (queue->slots[i].user < 0)
            return i;
    return -1;
}

int queue_admit(struct queue *queue, uid_t uid, int64_t now_ms, int *ret_victim)
{
    *ret_victim = -1;
    int u = find_user(queue, uid, now_ms);
    if (u < 0)
        return QUEUE_FULL;
    struct queue_user *user = &queue->users[u];
    if (user->tokens == 0)
        return QUEUE_TOO_FAST;
    user->tokens--;
    if (user->waiting >= QUEUE_USER_SLOTS_MAX)
        return QUEUE_TOO_MANY;
    int slot = free_slot(queue);
    if (slot < 0) {
        slot = find_victim(queue, u);
        if (slot < 0)
            return QUEUE_FULL;
        queue_leave(queue, slot);
        *ret_victim = slot;
    }
    queue->slots[slot] =
        (struct queue_slot){.user = u, .seq = queue->next_seq++, .since_ms = now_ms};
    if (slot >= queue->top)
        queue->top = slot + 1;
    user->waiting++;
    queue->waiting++;
    return slot;
}

void queue_ready(struct queue *queue, int slot, int64_t now_ms)
{
    queue->slots[slot].ready = true;
    queue->slots[slot].since_ms = now_ms;
}

int queue_next(const struct queue *queue)
{
    int best = -1;
    if (queue->running >= QUEUE_RUNNING_MAX)
        return -1;
    for (int i = 0; i < queue->top; i++) {
        const struct queue_slot *slot = &queue->slots[i];
        if (slot->user < 0 || !slot->ready)
            continue;
        uint32_t running = queue->users[slot->user].running;
        if (running >= QUEUE_USER_RUNNING_MAX)
            continue;
        uint32_t least = best < 0 ? UINT32_MAX : queue->users[queue->slots[best].user].running;
        if (running < least || (running == least && slot->seq < queue->slots[best].seq))
            best = i;
    }
    return best;
}

void queue_leave(struct queue *queue, int slot)
{
    queue->users[queue->slots[slot].user].waiting--;
    queue->waiting--;
    queue->slots[slot].user = -1;
    while (queue->top > 0 && queue->slots[queue->top - 1].user < 0)
        queue->top--;
}

int queue_start(struct queue *queue, int slot)
{
    int user = queue->slots[slot].user;
    queue_leave(queue, slot);
    queue->users[user].running++;
    queue->running++;
    return user;
}

void queue_ended(struct queue *queue, int user, bool counted)
{
    queue->users[user].running--;
    if (counted)
        queue->running--;
}

void queue_write_off(struct queue *queue)
{
    queue->running--;
}
