/*
 * One thread of the data plane: its event loop, its copy buffer, its pipes, its connections, its
 * clock. A worker shares nothing with another one; all it needs is allocated when it starts.
 * worker_ask() is the one door between two of them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/loop.h"
#include "rootlesskit/gateway/stats.h"

struct err;
struct relay;

/** Copy buffer: what one recv(2) takes before a direction counts as busy. */
#define WORKER_BUFFER (64 * 1024)
/** Spare pipes kept; pipe-max-size (1 MiB) each is what unprivileged users may have (pipe(7)). */
#define WORKER_PIPES 32
#define WORKER_PIPE_SIZE (1024 * 1024)
/** Connections of one worker: two fds each, and more than the usual hard limit of fds allows. */
#define WORKER_RELAYS 65536
/** How often waiting things are looked at while there are any. */
#define WORKER_TICK_MS 250

/** Something that wants to be called at every tick while it is active; embed it. */
struct worker_timer {
    struct worker_timer *next;
    void (*fn)(struct worker_timer *timer, int64_t now_ms);
    bool active;
};

struct worker_pipe {
    int in, out; /**< read end, write end */
};

struct worker {
    struct loop loop;
    struct loop_source inbox; /**< of what other threads ask for */
    int inbox_fd;             /**< their end of it */
    unsigned char *buffer;
    struct worker_pipe pipes[WORKER_PIPES];
    unsigned n_pipes;
    struct relay *relays;      /**< WORKER_RELAYS of them, touched only when used */
    struct relay *free_relays; /**< given back */
    uint32_t n_relays;         /**< ever used: [0, n_relays) */
    struct loop_source clock;
    struct worker_timer *timers;
    bool ticking;
    struct stats stats;
};

/** Zeroed memory for a table that lives as long as the process; a page of it exists once touched.
 *  @return NULL when there is none */
void *worker_reserve(size_t size);
int worker_init(struct worker *worker, struct err *err);
typedef void worker_fn(struct worker *worker, void *arg);
/**
 * Calls @p fn in the thread that runs @p worker's loop, and waits for its end. Not from that thread
 * itself, nor in a circle.
 * @return 0 or -errno: it was not called
 */
int worker_ask(struct worker *worker, worker_fn *fn, void *arg);
/** Has @p timer called at every tick until worker_timer_stop(). */
void worker_timer_start(struct worker *worker, struct worker_timer *timer);
void worker_timer_stop(struct worker_timer *timer);
/** Takes a timer whose memory is about to go off the list. Not from within a timer's callback. */
void worker_timer_forget(struct worker *worker, struct worker_timer *timer);
/** An empty pipe that takes WORKER_BUFFER bytes, pooled or new. @return 0 or -errno (EMFILE, or
 *  ENOBUFS: the user has all the pipe memory he may have) */
int worker_pipe_take(struct worker *worker, struct worker_pipe *ret);
/** @return true when the next worker_pipe_take() cannot fail */
bool worker_pipe_ready(struct worker *worker);
/** Gives an empty pipe back. */
void worker_pipe_give(struct worker *worker, struct worker_pipe pipe);
