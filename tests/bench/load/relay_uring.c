/*
 * Theory of operation
 *
 * One ring, one thread, one call of the kernel a turn: io_uring_submit_and_wait() hands in what the
 * last turn prepared and brings all that has happened since. Each way has one multishot receive;
 * the kernel puts what comes into the next free of BUFFERS that all ways share. What has come of a
 * way when the turn ends goes out with one sendmsg, with which the kernel carries on by itself
 * (MSG_WAITALL); there is one under way at a time, so that bytes stay in order.
 *
 * Without a free buffer receives end (ENOBUFS) and their connections are hungry: they are armed
 * again when one comes back. That is also what holds back a sender whose receiver is slow; that
 * others wait with him is no matter here, where all receivers are quick.
 *
 * Sends are not zero-copy ones: loopback copies those too (skb_orphan_frags).
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "tests/bench/load/relay.h"

#define ENTRIES 1024
/* A power of two. 32 of these, or 8 to 32 of 256 KiB, cost more CPU time or as much. */
#define BUFFERS 16
#define BUFFER_SIZE (64 << 10)
#define GROUP 0

/* What a completion is of: the low bits of its user data, beside the way's address. */
enum op { OP_RECEIVE, OP_SEND, OP_ACCEPT, OP_MASK = 3 };

/* From one socket to the other. */
struct way {
    struct joint *joint;
    int from, to;
    bool receiving, sending, ended, closed;
    unsigned n_chunks; /* what has come and is not sent, in order */
    struct iovec chunk[BUFFERS];
    struct msghdr message;
};

struct joint {
    struct way way[2];
    struct joint *next_ready, *next_hungry;
    bool is_ready, is_hungry, broken;
};

static struct {
    struct io_uring ring;
    struct io_uring_buf_ring *free;
    unsigned char (*memory)[BUFFER_SIZE];
    unsigned held;        /* how many buffers hold what has come */
    struct joint *ready;  /* something has happened of them in this turn */
    struct joint *hungry; /* something of them found no buffer */
} ours;

/* What is given to the kernel next; what prepares it leaves the user data alone. */
static struct io_uring_sqe *next_entry(struct way *way, enum op op)
{
    struct io_uring_sqe *sqe;

    while (!(sqe = io_uring_get_sqe(&ours.ring)))
        (void)io_uring_submit(&ours.ring);
    io_uring_sqe_set_data64(sqe, (uint64_t)(uintptr_t)way | op);
    return sqe;
}

static void accept_all(int listener)
{
    io_uring_prep_multishot_accept(next_entry(NULL, OP_ACCEPT), listener, NULL, NULL, SOCK_CLOEXEC);
}

static void receive(struct way *way)
{
    struct io_uring_sqe *sqe = next_entry(way, OP_RECEIVE);

    io_uring_prep_recv_multishot(sqe, way->from, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = GROUP;
    way->receiving = true;
}

static void send_all(struct way *way)
{
    way->sending = true;
    way->message = (struct msghdr){.msg_iov = way->chunk, .msg_iovlen = way->n_chunks};
    io_uring_prep_sendmsg(next_entry(way, OP_SEND), way->to, &way->message,
                          MSG_NOSIGNAL | MSG_WAITALL);
}

static void look_at(struct joint *joint)
{
    if (joint->is_ready)
        return;
    joint->is_ready = true;
    joint->next_ready = ours.ready;
    ours.ready = joint;
}

/* With none held there is none to wait for: those that were came back in this turn. */
static void go_hungry(struct joint *joint)
{
    if (joint->is_hungry || ours.held == 0)
        return;
    joint->is_hungry = true;
    joint->next_hungry = ours.hungry;
    ours.hungry = joint;
}

static void feed_all(void)
{
    while (ours.hungry) {
        struct joint *joint = ours.hungry;

        ours.hungry = joint->next_hungry;
        joint->is_hungry = false;
        look_at(joint);
    }
}

static void add_free(unsigned i, int offset)
{
    io_uring_buf_ring_add(ours.free, ours.memory[i], BUFFER_SIZE, (unsigned short)i, BUFFERS - 1,
                          offset);
}

/* The buffers of the first n chunks are free again. */
static void release(struct way *way, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const unsigned char *rest = way->chunk[i].iov_base;
        add_free((unsigned)((size_t)(rest - ours.memory[0]) / BUFFER_SIZE), (int)i);
    }
    io_uring_buf_ring_advance(ours.free, (int)n);
    ours.held -= n;
    way->n_chunks -= n;
    memmove(way->chunk, way->chunk + n, way->n_chunks * sizeof(*way->chunk));
    if (n > 0)
        feed_all();
}

/* Whatever is under way at its sockets ends now. */
static void break_off(struct joint *joint)
{
    joint->broken = true;
    for (int i = 0; i < 2; i++)
        (void)shutdown(joint->way[i].from, SHUT_RDWR);
}

static void take_in(struct way *way, unsigned buffer, size_t len)
{
    way->chunk[way->n_chunks++] = (struct iovec){.iov_base = ours.memory[buffer], .iov_len = len};
    ours.held++;
}

static void on_receive(struct way *way, const struct io_uring_cqe *cqe)
{
    way->receiving = (cqe->flags & IORING_CQE_F_MORE) != 0;
    if (cqe->res > 0)
        take_in(way, cqe->flags >> IORING_CQE_BUFFER_SHIFT, (size_t)cqe->res);
    else if (cqe->res == 0)
        way->ended = true;
    else if (cqe->res == -ENOBUFS)
        go_hungry(way->joint);
    else
        break_off(way->joint);
    look_at(way->joint);
}

/* Even with MSG_WAITALL it can be less than all: the rest stays the first of what is sent next. */
static void take_out(struct way *way, size_t len)
{
    unsigned n = 0;

    while (n < way->n_chunks && len >= way->chunk[n].iov_len)
        len -= way->chunk[n++].iov_len;
    if (n < way->n_chunks) {
        way->chunk[n].iov_base = (unsigned char *)way->chunk[n].iov_base + len;
        way->chunk[n].iov_len -= len;
    }
    release(way, n);
}

static void on_send(struct way *way, const struct io_uring_cqe *cqe)
{
    way->sending = false;
    if (cqe->res >= 0)
        take_out(way, (size_t)cqe->res);
    else
        break_off(way->joint);
    look_at(way->joint);
}

static void on_accept(int listener, const struct sockaddr_in *to, const struct io_uring_cqe *cqe)
{
    if (!(cqe->flags & IORING_CQE_F_MORE))
        accept_all(listener);
    if (cqe->res < 0)
        return;
    int server = relay_dial(to, 0);
    if (server < 0) {
        fd_close(cqe->res);
        return;
    }
    struct joint *joint = calloc(1, sizeof(*joint));
    if (!joint)
        abort();
    joint->way[0] = (struct way){.joint = joint, .from = cqe->res, .to = server};
    joint->way[1] = (struct way){.joint = joint, .from = server, .to = cqe->res};
    look_at(joint);
}

static void settle_way(struct way *way)
{
    if (!way->sending && way->n_chunks > 0)
        send_all(way);
    if (!way->receiving && !way->ended && !way->joint->is_hungry)
        receive(way);
    if (way->ended && way->n_chunks == 0 && !way->closed) {
        way->closed = true;
        (void)shutdown(way->to, SHUT_WR);
    }
}

/* In no list, and nothing under way. */
static bool is_over(const struct joint *joint)
{
    bool over = !joint->is_hungry && !joint->is_ready;

    for (int i = 0; i < 2; i++) {
        const struct way *way = &joint->way[i];
        over = over && !way->receiving && !way->sending && (way->closed || joint->broken);
    }
    return over;
}

static void settle(struct joint *joint)
{
    for (int i = 0; i < 2; i++) {
        struct way *way = &joint->way[i];
        if (!joint->broken)
            settle_way(way);
        else if (!way->sending)
            release(way, way->n_chunks);
    }
    if (!is_over(joint))
        return;
    fd_close(joint->way[0].from);
    fd_close(joint->way[1].from);
    free(joint);
}

static void settle_all(void)
{
    while (ours.ready) {
        struct joint *joint = ours.ready;

        ours.ready = joint->next_ready;
        joint->is_ready = false;
        settle(joint);
    }
}

static int start(struct err *err)
{
    const int protection = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;
    struct io_uring_params params = {.flags =
                                         IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};

    int r = io_uring_queue_init_params(ENTRIES, &ours.ring, &params);
    if (r < 0)
        return err_sys(err, -r,
                       "no io_uring here: it needs Linux 6.1, kernel.io_uring_disabled=0, "
                       "and no seccomp filter against it");
    ours.memory = mmap(NULL, sizeof(*ours.memory) * BUFFERS, protection, flags, -1, 0);
    ours.free = mmap(NULL, sizeof(struct io_uring_buf) * BUFFERS, protection, flags, -1, 0);
    if (ours.memory == MAP_FAILED || (void *)ours.free == MAP_FAILED)
        return err_sys(err, errno, "buffers");
    struct io_uring_buf_reg group = {
        .ring_addr = (uintptr_t)ours.free, .ring_entries = BUFFERS, .bgid = GROUP};
    r = io_uring_register_buf_ring(&ours.ring, &group, 0);
    if (r < 0)
        return err_sys(err, -r, "a ring of buffers");
    for (unsigned i = 0; i < BUFFERS; i++)
        add_free(i, (int)i);
    io_uring_buf_ring_advance(ours.free, BUFFERS);
    return 0;
}

static void handle(int listener, const struct sockaddr_in *to, const struct io_uring_cqe *cqe)
{
    struct way *way = (struct way *)(uintptr_t)(cqe->user_data & ~(uint64_t)OP_MASK);

    switch ((enum op)(cqe->user_data & OP_MASK)) {
    case OP_RECEIVE:
        on_receive(way, cqe);
        break;
    case OP_SEND:
        on_send(way, cqe);
        break;
    case OP_ACCEPT:
    case OP_MASK:
        on_accept(listener, to, cqe);
        break;
    }
}

int relay_uring(int listener, const struct sockaddr_in *to, struct err *err)
{
    struct io_uring_cqe *cqe;
    unsigned head, n;

    int r = start(err);
    if (r < 0 || (r = relay_listen(listener, err)) < 0)
        return r;
    /* Operations on what does not block do not wait. */
    if (fcntl(listener, F_SETFL, 0) < 0)
        return err_sys(err, errno, "the listening socket");
    accept_all(listener);
    for (;;) {
        r = io_uring_submit_and_wait(&ours.ring, 1);
        if (r < 0 && r != -EINTR)
            return err_sys(err, -r, "io_uring_enter");
        n = 0;
        io_uring_for_each_cqe(&ours.ring, head, cqe)
        {
            handle(listener, to, cqe);
            n++;
        }
        io_uring_cq_advance(&ours.ring, n);
        settle_all();
    }
}
