/*
 * UDP sockets of the gateway namespace G that may bear any address (IP_TRANSPARENT), made ahead by
 * a thread that lives there: only it may make them, and it may do nothing else. Once made they are
 * bound and connected from any thread.
 */
#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>

#include "lib/base/err.h"

/** Kept ready of each family at most. */
#define STOCK_MAX 32

struct stock_shelf {
    int family; /**< AF_INET, AF_INET6; 0: not wanted */
    int fds[STOCK_MAX];
    unsigned n;
    unsigned target; /**< kept ready: none before the first one is asked for, then more and more;
                      * the maker fills up when half of them are gone */
    bool refused;    /**< the kernel did not give the last one: nobody waits for the next */
};

struct stock {
    pthread_mutex_t lock;
    pthread_cond_t wanted, made;
    pthread_t maker;
    sem_t ready;
    struct stock_shelf shelves[2]; /**< IPv4, IPv6 */
    unsigned size;                 /**< of a shelf: fewer where fds are few */
    int netns_fd;
    int result;
    struct err err;
};

/**
 * Starts the maker; it has confined itself on return.
 * @param netns_fd  G, borrowed until the return
 * @param size      of each shelf at most, 1 to STOCK_MAX
 */
int stock_start(struct stock *stock, int netns_fd, bool ipv6, unsigned size, struct err *err);
/** Takes one, from any thread; waits for the maker where there is none left.
 *  @return a socket that is the caller's, or -ENOBUFS: the kernel gives no more of them */
int stock_take(struct stock *stock, int family);
