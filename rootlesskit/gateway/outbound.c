#include "rootlesskit/gateway/outbound.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "rootlesskit/gateway/confine.h"
#include "rootlesskit/gateway/place.h"

/* Of the fds that the process may have; connections keep the other half. */
struct share {
    uint32_t stock, udp, echo;
};

static struct share share_fds(void)
{
    struct rlimit limit = {.rlim_cur = 1024};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    uint32_t fds = limit.rlim_cur > UINT32_MAX ? UINT32_MAX : (uint32_t)limit.rlim_cur;
    struct share share = {.stock = fds / 32, .udp = fds / 8 * 3, .echo = fds / 16};
    if (share.stock > STOCK_MAX)
        share.stock = STOCK_MAX;
    if (share.stock < 1)
        share.stock = 1;
    return share;
}

static int set_up(struct outbound *outbound, const struct place_gateway *place)
{
    struct err *err = &outbound->err;
    struct share share = share_fds();
    int r = stock_start(&outbound->stock, place->netns_fd, place->ipv6, share.stock, err);
    if (r >= 0)
        r = worker_init(&outbound->worker, err);
    if (r >= 0)
        r = udp_init(&outbound->udp, &outbound->worker, &outbound->policy, &outbound->icmp,
                     &outbound->stock, place->v4.udp_fd, place->v6.udp_fd, share.udp, err);
    if (r >= 0)
        r = echo_init(&outbound->echo, &outbound->worker, &outbound->policy, &outbound->icmp,
                      share.echo, err);
    return r < 0 ? r : 0;
}

static void *serve(void *arg)
{
    struct outbound *outbound = arg;
    outbound->result = confine_capabilities(&outbound->err);
    bool confined = outbound->result >= 0;
    (void)sem_post(&outbound->ready);
    if (confined)
        (void)loop_run(&outbound->worker.loop, NULL);
    return NULL;
}

static int start(struct outbound *outbound)
{
    (void)sem_init(&outbound->ready, 0, 0);
    int r = pthread_create(&outbound->thread, NULL, serve, outbound);
    if (r != 0)
        return err_sys(&outbound->err, r, "cannot start a thread");
    while (sem_wait(&outbound->ready) < 0)
        ;
    return outbound->result;
}

int outbound_start(struct outbound *outbound, const struct policy *policy,
                   const struct place_gateway *place, struct err *err)
{
    outbound->policy = *policy;
    outbound->icmp = place->icmp;
    int r = set_up(outbound, place);
    if (r >= 0)
        r = start(outbound);
    if (r < 0)
        *err = outbound->err;
    return r;
}
