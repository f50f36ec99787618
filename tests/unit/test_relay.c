/*
 * Relays over real sockets: two workers that join them and two movers that take the bulk, each in
 * its thread; the test is the clients and the servers. Built with ThreadSanitizer too.
 */
#include "tests/unit/tap.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "rootlesskit/gateway/movers.h"
#include "rootlesskit/gateway/relay.h"
#include "rootlesskit/gateway/worker.h"

#define WORKERS 2
#define MOVERS 2
#define CONNECTIONS_MAX 400
#define KIB 1024U
#define MIB (1024U * KIB)
/* Nothing decides by time: this only ends a test that hangs. */
#define PATIENCE_MS 20000

static struct movers movers;
static struct worker workers[WORKERS];

static void *live(void *arg)
{
    struct worker *worker = arg;
    (void)loop_run(&worker->loop, NULL);
    return NULL;
}

static void start(unsigned n_movers)
{
    struct err err = {0};
    struct rlimit limit;
    (void)signal(SIGPIPE, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_msg(movers_start(&movers, n_movers, &err) == 0, "%s", err.msg);
    for (int i = 0; i < WORKERS; i++) {
        pthread_t thread;
        ck_assert_msg(worker_init(&workers[i], &err) == 0, "%s", err.msg);
        workers[i].movers = &movers;
        ck_assert_int_eq(pthread_create(&thread, NULL, live, &workers[i]), 0);
        ck_assert_int_eq(pthread_detach(thread), 0);
    }
}

static unsigned relays_of(struct worker *worker, unsigned n)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < n; i++)
        sum += atomic_load(&worker[i].n_relays);
    return sum;
}

/* Waits until that many connections are carried by workers and movers. */
static void expect_relays(unsigned by_workers, unsigned by_movers)
{
    for (int ms = 0; ms < PATIENCE_MS; ms++) {
        if (relays_of(workers, WORKERS) == by_workers &&
            relays_of(movers.worker, movers.n) == by_movers)
            return;
        (void)poll(NULL, 0, 1);
    }
    ck_abort_msg("%u and %u connections, not %u and %u", relays_of(workers, WORKERS),
                 relays_of(movers.worker, movers.n), by_workers, by_movers);
}

enum kind { LOCAL, TCP };

/* Two connected sockets, both non-blocking. */
static void pair(enum kind kind, int ret[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    if (kind == LOCAL) {
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ret),
                         0);
        return;
    }
    cleanup_close int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (const struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    ret[0] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert(connect(ret[0], (const struct sockaddr *)&address, sizeof address) == 0 ||
              errno == EINPROGRESS);
    ret[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ck_assert_int_ge(ret[1], 0);
}

/* What one side sends to the other. */
struct stream {
    uint32_t total, sent, got;
    bool waits;  /* sends nothing before the other way has ended */
    bool closed; /* its FIN was sent */
    bool ended;  /* its FIN has come */
};

struct joint {
    int fd[2];
    uint32_t owner;
};

struct connection {
    int fd[2];               /* the test's sockets: client and server */
    struct stream stream[2]; /* stream[i] begins at fd[i] */
    struct joint joint;      /* the worker's sockets */
    struct worker *worker;
    uint8_t seed;
};

static struct connection connections[CONNECTIONS_MAX];

static void begin(void (*fn)(struct worker *, void *), struct worker *worker, void *arg)
{
    ck_assert_int_eq(worker_ask(worker, fn, arg), 0);
}

static void do_join(struct worker *worker, void *arg)
{
    const struct joint *joint = arg;
    (void)relay_join(worker, joint->fd[0], joint->fd[1], joint->owner);
}

/* Makes both pairs of connection number @p i, which sends as many bytes each way. */
static struct connection *prepare(unsigned i, enum kind kind, uint32_t there, uint32_t back)
{
    struct connection *connection = &connections[i];
    int client[2], server[2];
    pair(kind, client);
    pair(kind, server);
    *connection = (struct connection){.fd = {client[0], server[0]},
                                      .joint = {.fd = {client[1], server[1]}, .owner = i % 2 + 1},
                                      .worker = &workers[i % WORKERS],
                                      .seed = (uint8_t)i};
    connection->stream[0].total = there;
    connection->stream[1].total = back;
    return connection;
}

static struct connection *join(unsigned i, enum kind kind, uint32_t there, uint32_t back)
{
    struct connection *connection = prepare(i, kind, there, back);
    begin(do_join, connection->worker, &connection->joint);
    return connection;
}

static uint8_t byte_at(const struct connection *connection, int from, uint32_t place)
{
    return (uint8_t)(place * 7 + place / 251 + connection->seed + (uint32_t)from * 100);
}

static void send_some(struct connection *connection, int i)
{
    struct stream *stream = &connection->stream[i];
    unsigned char data[128 * KIB];
    size_t n = stream->total - stream->sent;
    n = n < sizeof data ? n : sizeof data;
    if (stream->closed || (stream->waits && !connection->stream[1 - i].ended))
        return;
    for (size_t k = 0; k < n; k++)
        data[k] = byte_at(connection, i, stream->sent + (uint32_t)k);
    ssize_t sent = n > 0 ? send(connection->fd[i], data, n, MSG_NOSIGNAL) : 0;
    ck_assert(sent >= 0 || errno == EAGAIN);
    stream->sent += sent > 0 ? (uint32_t)sent : 0;
    if (stream->sent < stream->total)
        return;
    stream->closed = true;
    ck_assert_int_eq(shutdown(connection->fd[i], SHUT_WR), 0);
}

static void receive_some(struct connection *connection, int i)
{
    struct stream *stream = &connection->stream[1 - i];
    unsigned char data[128 * KIB];
    ssize_t n = recv(connection->fd[i], data, sizeof data, 0);
    if (n < 0) {
        ck_assert_int_eq(errno, EAGAIN);
        return;
    }
    ssize_t same = 0;
    while (same < n && data[same] == byte_at(connection, 1 - i, stream->got + (uint32_t)same))
        same++;
    ck_assert_int_eq(same, n);
    stream->got += (uint32_t)n;
    stream->ended = n == 0;
}

/* Waits for events of one side. @return false when it has nothing more to do */
static bool interest(const struct connection *connection, int i, struct pollfd *ret)
{
    const struct stream *out = &connection->stream[i], *in = &connection->stream[1 - i];
    bool sends = !out->closed && (!out->waits || in->ended);
    *ret = (struct pollfd){.fd = connection->fd[i]};
    ret->events = (short)((sends ? POLLOUT : 0) | (in->ended ? 0 : POLLIN));
    if (ret->events == 0)
        ret->fd = -1;
    return ret->events != 0 || !out->closed;
}

/* Moves everything to its end, and looks at each byte. */
static void finish(unsigned n)
{
    static struct pollfd set[2 * CONNECTIONS_MAX];
    bool more = true;
    while (more) {
        more = false;
        for (unsigned i = 0; i < 2 * n; i++)
            more |= interest(&connections[i / 2], (int)(i % 2), &set[i]);
        if (!more)
            break;
        ck_assert_int_gt(poll(set, 2 * n, PATIENCE_MS), 0);
        for (unsigned i = 0; i < 2 * n; i++) {
            if (set[i].revents & POLLOUT)
                send_some(&connections[i / 2], (int)(i % 2));
            if (set[i].revents & ~POLLOUT)
                receive_some(&connections[i / 2], (int)(i % 2));
        }
    }
    for (unsigned i = 0; i < n; i++) {
        for (int w = 0; w < 2; w++) {
            ck_assert_uint_eq(connections[i].stream[w].got, connections[i].stream[w].total);
            fd_close(connections[i].fd[w]);
        }
    }
    expect_relays(0, 0);
}

/* Sends without reading until nothing more is taken. */
static void fill(struct connection *connection, int i)
{
    struct stream *stream = &connection->stream[i];
    struct pollfd set = {.fd = connection->fd[i], .events = POLLOUT};
    while (stream->sent < stream->total && poll(&set, 1, 100) > 0)
        send_some(connection, i);
}

/* Joins number @p i with so much waiting in it that it soon is bulk, and reads until it has moved.
 */
static struct connection *join_bulk(unsigned i, uint32_t there, uint32_t back, unsigned stay,
                                    unsigned moved)
{
    struct connection *connection = prepare(i, TCP, there, back);
    fill(connection, 0);
    ck_assert_uint_ge(connection->stream[0].sent, 8 * WORKER_BUFFER);
    begin(do_join, connection->worker, &connection->joint);
    for (int ms = 0; ms < PATIENCE_MS && relays_of(movers.worker, movers.n) < moved; ms++) {
        struct pollfd set = {.fd = connection->fd[1], .events = POLLIN};
        if (poll(&set, 1, 1) > 0)
            receive_some(connection, 1);
    }
    expect_relays(stay, moved);
    return connection;
}

static const struct {
    const char *name;
    enum kind kind;
    unsigned connections, movers;
    uint32_t there, back;
    bool answers; /* the server waits for the client's end */
} rows[] = {
    {"nothing at all", TCP, 4, MOVERS, 0, 0, false},
    {"a byte", TCP, 4, MOVERS, 1, 1, true},
    {"a buffer", TCP, 4, MOVERS, WORKER_BUFFER, WORKER_BUFFER, false},
    {"bulk to the server", TCP, 2, MOVERS, 24 * MIB, 0, false},
    {"bulk to the client", TCP, 2, MOVERS, 0, 24 * MIB, false},
    {"bulk both ways", TCP, 2, MOVERS, 16 * MIB, 16 * MIB, false},
    {"bulk, then a bulk answer", TCP, 2, MOVERS, 8 * MIB, 8 * MIB, true},
    {"bulk without movers", TCP, 2, 0, 8 * MIB, 8 * MIB, false},
    {"local sockets", LOCAL, 4, MOVERS, 4 * MIB, 4 * MIB, true},
    {"many", TCP, 100, MOVERS, MIB, MIB, false},
    {"very many small ones", TCP, CONNECTIONS_MAX, MOVERS, 4 * KIB, KIB, true},
};

START_TEST(bytes_and_their_end_arrive)
{
    start(rows[_i].movers);
    for (unsigned i = 0; i < rows[_i].connections; i++) {
        struct connection *connection = join(i, rows[_i].kind, rows[_i].there, rows[_i].back);
        connection->stream[1].waits = rows[_i].answers;
    }
    finish(rows[_i].connections);
}
END_TEST

START_TEST(bulk_moves_and_small_stays)
{
    start(MOVERS);
    (void)join(1, TCP, 100, 100);
    (void)join_bulk(0, 64 * MIB, 64 * MIB, 1, 1);
    finish(2);
}
END_TEST

START_TEST(a_slow_reader_is_waited_for)
{
    start(MOVERS);
    struct connection *slow = join(0, TCP, 64 * MIB, 1);
    fill(slow, 0); /* nobody reads: every buffer between is full */
    ck_assert_uint_lt(slow->stream[0].sent, 64 * MIB);
    finish(1);
    slow = join_bulk(0, 128 * MIB, 0, 0, 1);
    fill(slow, 0);
    ck_assert_uint_lt(slow->stream[0].sent, 128 * MIB);
    finish(1);
}
END_TEST

/* Reads to the end of a connection. @return 0 for a FIN, else what recv(2) said */
static int end_of(int fd)
{
    unsigned char data[64 * KIB];
    struct pollfd set = {.fd = fd, .events = POLLIN};
    for (;;) {
        ck_assert_int_gt(poll(&set, 1, PATIENCE_MS), 0);
        ssize_t n = recv(fd, data, sizeof data, 0);
        if (n == 0)
            return 0;
        if (n < 0 && errno != EAGAIN)
            return errno;
    }
}

START_TEST(a_reset_is_passed_on)
{
    bool bulk = _i & 1;
    int who = _i / 2;
    start(MOVERS);
    struct connection *connection = bulk ? join_bulk(0, 64 * MIB, 0, 0, 1) : join(0, TCP, 10, 0);
    relay_reset(connection->fd[who]);
    ck_assert_int_eq(end_of(connection->fd[1 - who]), ECONNRESET);
    fd_close(connection->fd[1 - who]);
    expect_relays(0, 0);
}
END_TEST

struct gate {
    sem_t *closed, *open;
};

static void wait_at(struct worker *worker, void *arg)
{
    const struct gate *gate = arg;
    (void)worker;
    (void)sem_post(gate->closed);
    while (sem_wait(gate->open) < 0)
        ;
}

static void start_blocked(sem_t *open)
{
    sem_t closed;
    struct gate gate = {.closed = &closed, .open = open};
    (void)sem_init(&closed, 0, 0);
    (void)sem_init(open, 0, 0);
    start(MOVERS);
    for (unsigned i = 0; i < movers.n; i++) {
        ck_assert_int_eq(worker_post(&movers.worker[i], wait_at, &gate, sizeof gate), 0);
        while (sem_wait(&closed) < 0)
            ;
    }
}

static void nothing(struct worker *worker, void *arg)
{
    (void)worker;
    (void)arg;
}

START_TEST(movers_that_are_behind_get_no_more)
{
    sem_t open;
    const char message[] = "";
    start_blocked(&open);
    for (unsigned i = 0; i < movers.n; i++)
        while (worker_post(&movers.worker[i], nothing, message, sizeof message) == 0)
            ;
    ck_assert_int_eq(worker_post(&movers.worker[0], nothing, message, sizeof message), -EAGAIN);
    for (unsigned i = 0; i < 8; i++)
        (void)join(i, TCP, 4 * MIB, 4 * MIB);
    finish(8);
    for (unsigned i = 0; i < movers.n; i++)
        (void)sem_post(&open);
    (void)join(0, TCP, 4 * MIB, 4 * MIB);
    finish(1);
}
END_TEST

static void do_end(struct worker *worker, void *arg)
{
    relay_end_all(worker, *(const uint32_t *)arg);
}

/* Half of them are moved, or on their way. Number i has owner i % 2 + 1. */
START_TEST(an_owner_ends_all_of_his)
{
    enum { N = 24 };
    uint32_t owner = 1;
    sem_t open;
    start_blocked(&open);
    for (unsigned i = 0, moved = 0; i < N; i++) {
        bool bulk = i % 4 < 2;
        moved += bulk;
        if (bulk)
            (void)join_bulk(i, 16 * MIB, 0, i + 1 - moved, moved);
        else
            (void)join(i, TCP, 100, 0);
    }
    for (unsigned i = 0; i < movers.n; i++)
        (void)sem_post(&open);
    begin(do_end, &workers[0], &owner);
    for (unsigned i = 0; i < N; i += 2) {
        ck_assert_int_eq(end_of(connections[i].fd[1]), ECONNRESET);
        ck_assert_int_eq(end_of(connections[i].fd[0]), ECONNRESET);
        fd_close(connections[i].fd[0]);
        fd_close(connections[i].fd[1]);
        connections[i / 2] = connections[i + 1];
    }
    finish(N / 2);
}
END_TEST

static void do_join_connecting(struct worker *worker, void *arg)
{
    const struct joint *joint = arg;
    (void)relay_join_connecting(worker, joint->fd[0], joint->fd[1], joint->owner);
}

START_TEST(a_refusal_resets_the_client)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    struct joint joint = {0};
    int client[2];
    start(MOVERS);
    pair(TCP, client);
    /* A port that is taken, but nobody listens on. */
    cleanup_close int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(taken, (const struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(getsockname(taken, (struct sockaddr *)&address, &len), 0);
    joint.fd[0] = client[1];
    joint.fd[1] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_lt(connect(joint.fd[1], (const struct sockaddr *)&address, sizeof address), 0);
    begin(do_join_connecting, &workers[0], &joint);
    ck_assert_int_eq(end_of(client[0]), ECONNRESET);
    expect_relays(0, 0);
    fd_close(client[0]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("relay");
    TCase *cases = tcase_create("relay");
    tcase_set_timeout(cases, 2 * PATIENCE_MS / 1000.0);
    tcase_add_loop_test(cases, bytes_and_their_end_arrive, 0, sizeof rows / sizeof rows[0]);
    tcase_add_test(cases, bulk_moves_and_small_stays);
    tcase_add_test(cases, a_slow_reader_is_waited_for);
    tcase_add_loop_test(cases, a_reset_is_passed_on, 0, 4);
    tcase_add_test(cases, movers_that_are_behind_get_no_more);
    tcase_add_test(cases, an_owner_ends_all_of_his);
    tcase_add_test(cases, a_refusal_resets_the_client);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
