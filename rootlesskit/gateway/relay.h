/*
 * Two TCP sockets joined: what one side sends the other gets, with half-close, reset and
 * backpressure passed on as they are.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/loop.h"
#include "rootlesskit/gateway/table.h"
#include "rootlesskit/gateway/worker.h"

/** From one end to the other. */
struct relay_way {
    struct worker_pipe pipe; /**< in = -1: none held */
    uint32_t in_pipe;        /**< bytes waiting in it */
    uint64_t bytes;          /**< passed on so far */
    uint8_t full_reads;      /**< in a row: at RELAY_BULK the way takes a pipe */
    bool ending;             /**< the source's FIN is there, behind what waits in it */
    bool ended;              /**< and was read */
    bool closed;             /**< and we passed it on */
    bool blocked;            /**< the destination takes no more for now */
};

struct relay_end {
    struct loop_source source;
    int fd;
    uint32_t events; /**< registered */
    bool hung_up;    /**< out of the loop: its peer is gone, the rest is fetched unasked */
};

struct relay {
    struct table_item item;
    struct relay_end end[2];
    struct relay_way way[2]; /**< way[i] leads from end[i] to end[1 - i] */
    struct worker *worker;
    uint32_t owner;            /**< port id, or 0 */
    uint32_t opened_s, used_s; /**< stats_now_s() */
    bool connecting;           /**< end[1] is not connected yet */
    bool stays;                /**< no mover had room for it */
};

/**
 * Joins two connected, non-blocking sockets. Takes both fds, also on failure.
 * @return 0; -ENOBUFS with both reset when the worker is full
 */
int relay_join(struct worker *worker, int take_fd_a, int take_fd_b, uint32_t owner);
/**
 * The same while @p take_fd_b is still connecting: when that fails, @p take_fd_a is reset, so that
 * its peer sees a refusal and not an early end.
 */
int relay_join_connecting(struct worker *worker, int take_fd_a, int take_fd_b, uint32_t owner);
/** Resets every connection of @p owner, also those that movers carry. Called in the thread that
 *  joined them, which is no mover. */
void relay_end_all(struct worker *worker, uint32_t owner);
/** Which of some owners have connections: one question for all of them. */
struct relay_census {
    const uint32_t *owners;
    bool *found; /**< [i]: owners[i] has; set, never cleared */
    uint32_t n;
};

/** There is a connection of @p owner. */
void relay_census_see(struct relay_census *census, uint32_t owner);
/** Sees those that @p worker joined, wherever they are, and others that the movers carry. Called as
 *  relay_end_all(). */
void relay_census(struct worker *worker, struct relay_census *census);
/** Closes a TCP socket with a RST. */
void relay_reset(int take_fd);
