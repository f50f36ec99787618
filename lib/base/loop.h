/*
 * The one event loop: level-triggered epoll over sources that their owners embed.
 *
 * A source is removed with loop_del(); its memory must stay until the running batch of events is
 * over, which is what loop_bury() is for. The loop owns no fd of a source. Not thread-safe: one
 * loop a thread (loop_stop() alone may be called from a callback only).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct loop_source;

/** @param events  EPOLLIN, EPOLLOUT, ... as reported */
typedef void loop_fn(struct loop_source *source, uint32_t events);

struct loop_source {
    int fd; /**< -1 while not in the loop */
    loop_fn *fn;
};

/** An object waiting for the end of the batch; embed it and free the object in @p free_fn. */
struct loop_grave {
    struct loop_grave *next;
    void (*free_fn)(struct loop_grave *grave);
};

struct loop {
    int epoll_fd;
    bool stopped;
    struct loop_grave *graves;
};

#define LOOP_BATCH 64

int loop_init(struct loop *loop, struct err *err);
void loop_fini(struct loop *loop);
/** Watches @p fd (borrowed) for @p events. @return 0 or -errno */
int loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events, loop_fn *fn);
/** Changes the events. @return 0 or -errno */
int loop_mod(struct loop *loop, struct loop_source *source, uint32_t events);
/** Forgets the source; events of it still in the batch are not delivered. Safe to call twice. */
void loop_del(struct loop *loop, struct loop_source *source);
/** loop_del() of a source whose fd is closed next, with no duplicate of it anywhere: the kernel
 * then forgets it by itself. */
void loop_leave(struct loop_source *source);
/** Calls grave->free_fn after the batch. Its sources must have been removed. */
void loop_bury(struct loop *loop, struct loop_grave *grave);
/** Runs until loop_stop(). @return 0 or -errno of epoll_wait */
int loop_run(struct loop *loop, struct err *err);
/** One batch, waiting at most @p timeout_ms (-1: for ever). @return events handled or -errno */
int loop_once(struct loop *loop, int timeout_ms);
void loop_stop(struct loop *loop);

/** container_of for embedded sources and graves. */
#define loop_owner(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
