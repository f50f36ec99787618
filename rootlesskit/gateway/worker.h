/*
 * One thread of the data plane: its event loop, its copy buffer, its pipes, its connections, its
 * clock. A worker shares nothing with another one; all it needs is allocated when it starts. The
 * one door between two of them is the inbox: worker_ask() waits, worker_post() does not.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/loop.h"
#include "rootlesskit/gateway/stats.h"
#include "rootlesskit/gateway/table.h"

struct err;
struct movers;

/** Copy buffer: what one recv(2) takes before a direction counts as busy. */
#define WORKER_BUFFER (64 * 1024)
/** Spare pipes kept; pipe-max-size (1 MiB) each is what unprivileged users may have (pipe(7)), and
 *  pipe-user-pages-soft allows 64 of them: spare ones of a thread are missed by another. */
#define WORKER_PIPES 8
#define WORKER_PIPE_SIZE (1024 * 1024)
/** Connections of one worker: two fds each, and more than the usual hard limit of fds allows. */
#define WORKER_RELAYS 65536
/** What worker_post() takes, bytes. */
#define WORKER_POST_MAX 128
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
    struct table relays;
    _Atomic uint32_t n_relays; /**< here or on their way; others read it */
    struct movers *movers;     /**< who takes bulk connections; NULL: nobody */
    struct loop_source clock;
    struct worker_timer *timers;
    bool ticking;
    struct stats stats;
};

int worker_init(struct worker *worker, struct err *err);
typedef void worker_fn(struct worker *worker, void *arg);
/**
 * Calls @p fn in the thread that runs @p worker's loop, and waits for its end. Not from that thread
 * itself, nor in a circle.
 * @return 0 or -errno: it was not called
 */
int worker_ask(struct worker *worker, worker_fn *fn, void *arg);
/**
 * Has @p fn called there, some time later, with a copy of @p message, aligned for any type; in the
 * order of what one thread posts and asks.
 * @return 0; -EAGAIN when that thread is behind: nothing was posted
 */
int worker_post(struct worker *worker, worker_fn *fn, const void *message, size_t len);
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
