/*
 * Who waits and who is served next: the fairness of uidmapd, as plain data. No fd, no heap.
 *
 * A connection holds a slot from the moment it is accepted until it is handed to a worker or given
 * up. All counting is by uid, and everything is bounded:
 *
 *   rate      a bucket of requests a user may make at once, refilled steadily
 *   waiting   slots of a user, and slots in all. When none is left, the user who holds most of
 *             them loses one to a user who holds fewer.
 *   running   workers of a user, and workers in all. The next to be served is of the user who has
 *             fewest running, the oldest first.
 *
 * So however much one user asks, another waits for at most one of the running workers to end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/** A thousand requests at once are served even if all are one user's. */
#define QUEUE_SLOTS_MAX 4096
#define QUEUE_USER_SLOTS_MAX 1280
/** A worker waits for the disk and the name services rather than for a processor. */
#define QUEUE_RUNNING_MAX 64
#define QUEUE_USER_RUNNING_MAX 8
/** Users that are remembered; those with nothing under way are forgotten first. */
#define QUEUE_USERS_MAX 1024
#define QUEUE_BURST 4000
#define QUEUE_REFILL_PER_S 200

struct queue_user {
    bool used;
    uid_t uid;
    uint32_t waiting, running;
    uint32_t tokens;
    int64_t filled_ms; /**< when tokens was right */
};

struct queue_slot {
    int user; /**< -1: free */
    bool ready;
    uint64_t seq;     /**< age: lower is older */
    int64_t since_ms; /**< accepted, or ready */
};

struct queue {
    struct queue_user users[QUEUE_USERS_MAX];
    struct queue_slot slots[QUEUE_SLOTS_MAX];
    int n_slots; /**< that may be used; as many fds as the process may have */
    int top;     /**< no slot from here on is taken */
    uint32_t waiting, running;
    uint64_t next_seq;
};

enum queue_refusal {
    QUEUE_TOO_FAST = -1, /**< the user's bucket is empty */
    QUEUE_TOO_MANY = -2, /**< the user holds too many slots */
    QUEUE_FULL = -3,     /**< no slot, and nobody holds more than this user would */
};

void queue_init(struct queue *queue, int n_slots);
/**
 * A new connection of @p uid.
 * @param ret_victim  -1, or a slot that was freed for it, whose connection is to be given up. It
 *                    may be the very slot that is returned.
 * @return its slot, or enum queue_refusal
 */
int queue_admit(struct queue *queue, uid_t uid, int64_t now_ms, int *ret_victim);
/** It has sent its request. */
void queue_ready(struct queue *queue, int slot, int64_t now_ms);
/** The slot to be served next, or -1: nobody is ready, or too many are running. */
int queue_next(const struct queue *queue);
/** Frees the slot and counts a worker. @return the user, for queue_ended() */
int queue_start(struct queue *queue, int slot);
/** Frees the slot of a connection that is given up. */
void queue_leave(struct queue *queue, int slot);
/** @param counted  false when the worker had been taken out by queue_write_off() */
void queue_ended(struct queue *queue, int user, bool counted);
/** A worker that does not end no longer counts against everybody, but still against its user. */
void queue_write_off(struct queue *queue);
