#include "rootlesskit/gateway/stock.h"

#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>

#include "lib/base/fd.h"
#include "rootlesskit/gateway/burst.h"
#include "rootlesskit/gateway/confine.h"

#define FIRST 2

/* Many of them bear one remote address, told apart by whom they are connected to. What is too long
 * for the veth goes in fragments; a datagram that comes in fragments or with few hops left is to
 * leave the host so. */
static int make_socket(int family)
{
    static const int on = 1, fragments = IP_PMTUDISC_DONT;
    bool v6 = family == AF_INET6;
    int level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
    cleanup_close int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 ||
        setsockopt(fd, level, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, &on, sizeof on) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        return -errno;
    (void)setsockopt(fd, level, v6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER, &fragments,
                     sizeof fragments);
    burst_prepare(fd, family);
    burst_want_heads(fd, family);
    return take_fd(&fd);
}

/* A shelf that is to be filled; lock held. */
static struct stock_shelf *wanting(struct stock *stock)
{
    for (unsigned i = 0; i < 2; i++) {
        struct stock_shelf *shelf = &stock->shelves[i];
        if (shelf->family && !shelf->refused && shelf->n < shelf->target)
            return shelf;
    }
    return NULL;
}

static void fill(struct stock *stock)
{
    struct stock_shelf *shelf;
    while ((shelf = wanting(stock))) {
        (void)pthread_mutex_unlock(&stock->lock);
        int fd = make_socket(shelf->family);
        (void)pthread_mutex_lock(&stock->lock);
        if (fd < 0)
            shelf->refused = true;
        else
            shelf->fds[shelf->n++] = fd;
        (void)pthread_cond_signal(&stock->made);
    }
}

static int enter(struct stock *stock)
{
    if (setns(stock->netns_fd, CLONE_NEWNET) < 0)
        return err_sys(&stock->err, errno, "cannot enter the gateway namespace");
    return confine_to_sockets(&stock->err);
}

static void *make_sockets(void *arg)
{
    struct stock *stock = arg;
    stock->result = enter(stock);
    bool serve = stock->result >= 0;
    (void)sem_post(&stock->ready);
    if (!serve)
        return NULL;
    (void)pthread_mutex_lock(&stock->lock);
    for (;;) {
        fill(stock);
        (void)pthread_cond_wait(&stock->wanted, &stock->lock);
    }
}

int stock_start(struct stock *stock, int netns_fd, bool ipv6, unsigned size, struct err *err)
{
    *stock = (struct stock){.netns_fd = netns_fd, .size = size};
    stock->shelves[0].family = AF_INET;
    stock->shelves[1].family = ipv6 ? AF_INET6 : 0;
    (void)pthread_mutex_init(&stock->lock, NULL);
    (void)pthread_cond_init(&stock->wanted, NULL);
    (void)pthread_cond_init(&stock->made, NULL);
    (void)sem_init(&stock->ready, 0, 0);
    int r = pthread_create(&stock->maker, NULL, make_sockets, stock);
    if (r != 0)
        return err_sys(err, r, "cannot start a thread");
    while (sem_wait(&stock->ready) < 0)
        ;
    if (stock->result >= 0)
        return 0;
    (void)pthread_join(stock->maker, NULL);
    *err = stock->err;
    return stock->result;
}

/* Most instances send no datagram but DNS's, which needs none of these: they pay for none. */
static void want_more(struct stock *stock, struct stock_shelf *shelf)
{
    if (shelf->n > shelf->target / 2)
        return;
    shelf->refused = false;
    shelf->target = shelf->target == 0 ? FIRST : shelf->target * 2;
    if (shelf->target > stock->size)
        shelf->target = stock->size;
    (void)pthread_cond_signal(&stock->wanted);
}

int stock_take(struct stock *stock, int family)
{
    struct stock_shelf *shelf = &stock->shelves[family == AF_INET6];
    int fd = -ENOBUFS;
    (void)pthread_mutex_lock(&stock->lock);
    want_more(stock, shelf);
    while (shelf->n == 0 && !shelf->refused && shelf->family)
        (void)pthread_cond_wait(&stock->made, &stock->lock);
    if (shelf->n > 0)
        fd = shelf->fds[--shelf->n];
    (void)pthread_mutex_unlock(&stock->lock);
    return fd;
}
