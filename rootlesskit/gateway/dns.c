#include "rootlesskit/gateway/dns.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "rootlesskit/gateway/dial.h"
#include "rootlesskit/gateway/relay.h"

#define TRY_MS 2000 /* then the next resolver; glibc itself waits 5 s (resolv.conf(5), timeout) */
#define UDP_BATCH 32
#define HEADER 12          /* RFC 1035, 4.1.1 */
#define FLAG_RESPONSE 0x80 /* QR, in byte 2 */
#define RCODE_SERVFAIL 2

static struct dns_slot *alloc(struct dns *dns)
{
    struct dns_slot *slot = dns->free;
    if (slot)
        dns->free = slot->next_free;
    else if (dns->used < DNS_SLOTS)
        slot = &dns->slots[dns->used++];
    else
        return NULL;
    slot->dns = dns;
    slot->fd = -EBADF;
    slot->tried = 0;
    return slot;
}

static void give_back(struct loop_grave *grave)
{
    struct dns_slot *slot = loop_owner(grave, struct dns_slot, grave);
    slot->next_free = slot->dns->free;
    slot->dns->free = slot;
}

static void hang_up(struct dns_slot *slot)
{
    loop_del(&slot->dns->worker->loop, &slot->source);
    slot->fd = fd_close(slot->fd);
}

static void release(struct dns_slot *slot)
{
    hang_up(slot);
    slot->deadline = 0;
    slot->grave.free_fn = give_back;
    loop_bury(&slot->dns->worker->loop, &slot->grave);
}

static void reply(struct dns_slot *slot, const void *data, size_t len)
{
    (void)sendto(slot->dns->udp.fd, data, len, MSG_DONTWAIT, (const struct sockaddr *)&slot->client,
                 dial_length(&slot->client));
}

/* No resolver to ask, or none answered: the query itself comes back, marked as a failed response.
 */
static void reply_servfail(struct dns_slot *slot)
{
    slot->query[2] |= FLAG_RESPONSE;
    slot->query[3] = (uint8_t)((slot->query[3] & 0xf0) | RCODE_SERVFAIL);
    reply(slot, slot->query, slot->len);
    release(slot);
}

static void on_answer(struct loop_source *source, uint32_t events);

/* Asks the next resolver that can be asked at all. */
static void ask_next(struct dns_slot *slot)
{
    struct dns *dns = slot->dns;
    while (slot->tried < dns->n_resolvers) {
        hang_up(slot);
        slot->fd = dial(&dns->resolvers[slot->tried++], SOCK_DGRAM, false);
        if (slot->fd < 0 || send(slot->fd, slot->query, slot->len, MSG_NOSIGNAL) < 0)
            continue;
        slot->deadline = clock_ms() + TRY_MS;
        if (loop_add(&dns->worker->loop, &slot->source, slot->fd, EPOLLIN, on_answer) == 0)
            return;
    }
    reply_servfail(slot);
}

static void on_answer(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct dns_slot *slot = loop_owner(source, struct dns_slot, source);
    unsigned char *buffer = slot->dns->worker->buffer;
    ssize_t n = recv(slot->fd, buffer, WORKER_BUFFER, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n < 0) {
        ask_next(slot); /* nobody listens there (ICMP) */
        return;
    }
    if (n < HEADER || memcmp(buffer, slot->query, 2) != 0)
        return; /* not the answer to this query */
    reply(slot, buffer, (size_t)n);
    release(slot);
}

static void on_query(struct loop_source *source, uint32_t events)
{
    (void)events;
    struct dns *dns = loop_owner(source, struct dns, udp);
    for (int i = 0; i < UDP_BATCH; i++) {
        struct dns_slot *slot = alloc(dns);
        uint8_t drain[1];
        if (!slot) {
            (void)recv(source->fd, drain, sizeof drain, MSG_DONTWAIT);
            return;
        }
        socklen_t len = sizeof slot->client;
        ssize_t n = recvfrom(source->fd, slot->query, sizeof slot->query, MSG_DONTWAIT | MSG_TRUNC,
                             (struct sockaddr *)&slot->client, &len);
        if (n < HEADER || (size_t)n > sizeof slot->query) {
            release(slot);
            if (n < 0)
                return;
            continue;
        }
        slot->len = (uint16_t)n;
        worker_timer_start(dns->worker, &dns->timer);
        ask_next(slot);
    }
}

static void on_connection(struct listener *listener, int take_sock,
                          const struct sockaddr_storage *peer)
{
    (void)peer;
    struct dns *dns = loop_owner(listener, struct dns, tcp);
    int fd = dns->n_resolvers > 0 ? dial(&dns->resolvers[0], SOCK_STREAM, false) : -ENOENT;
    if (fd < 0)
        relay_reset(take_sock);
    else
        (void)relay_join_connecting(dns->worker, take_sock, fd, 0);
}

static void on_tick(struct worker_timer *timer, int64_t now_ms)
{
    struct dns *dns = loop_owner(timer, struct dns, timer);
    bool waiting = false;
    for (uint32_t i = 0; i < dns->used; i++) {
        struct dns_slot *slot = &dns->slots[i];
        if (slot->fd < 0)
            continue;
        if (slot->deadline <= now_ms)
            ask_next(slot);
        waiting |= slot->fd >= 0;
    }
    if (!waiting)
        worker_timer_stop(timer);
}

int dns_init(struct dns *dns, struct worker *worker, int udp_fd, int tcp_fd, struct err *err)
{
    *dns = (struct dns){.worker = worker, .timer.fn = on_tick};
    dns->slots = worker_reserve(DNS_SLOTS * sizeof(struct dns_slot));
    if (!dns->slots)
        return err_set(err, ENOMEM, "no memory for DNS queries");
    int r = loop_add(&worker->loop, &dns->udp, udp_fd, EPOLLIN, on_query);
    if (r >= 0)
        r = listener_start(&dns->tcp, worker, tcp_fd, on_connection);
    return r < 0 ? err_sys(err, -r, "cannot watch the DNS sockets") : 0;
}

void dns_set_resolvers(struct dns *dns, const struct sockaddr_storage *resolvers, uint32_t n)
{
    dns->n_resolvers = n < GATEWAY_RESOLVERS_MAX ? n : GATEWAY_RESOLVERS_MAX;
    memcpy(dns->resolvers, resolvers, dns->n_resolvers * sizeof *resolvers);
}
