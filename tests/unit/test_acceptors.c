/*
 * Published TCP ports over real sockets: four acceptors, each in its thread, of one listening
 * socket; the test is the clients and the service. Built with ThreadSanitizer too.
 */
#include "tests/unit/tap.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "rootlesskit/gateway/acceptors.h"
#include "rootlesskit/gateway/listener.h"
#include "rootlesskit/gateway/movers.h"
#include "rootlesskit/gateway/relay.h"

#define ACCEPTORS 4
#define CLIENTS 150 /* four fds each in this process */
#define PORT_ID 7
/* Nothing decides by time: this only ends a test that hangs. */
#define PATIENCE_MS 20000

static struct acceptors acceptors;
static struct movers movers;
static struct sockaddr_storage target;
static int port_fd, service_fd;
static int clients[CLIENTS], services[CLIENTS];

static void *live(void *arg)
{
    struct worker *worker = arg;
    (void)loop_run(&worker->loop, NULL);
    return NULL;
}

static int listen_anywhere(struct sockaddr_storage *ret, int flags)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(fd, SOMAXCONN), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    memcpy(ret, &address, sizeof address);
    return fd;
}

enum order { OPEN, CLOSE, CLOSE_AFTER_ALL, END_ALL, ANY };

struct call {
    enum order order;
    int result;
};

static bool any(void)
{
    const uint32_t owners[] = {PORT_ID + 1, PORT_ID};
    bool found[] = {false, false};
    struct relay_census census = {.owners = owners, .found = found, .n = 2};
    acceptors_census(&acceptors, &census);
    ck_assert(!found[0] || acceptors.ring.begun > 0);
    return found[1];
}

static void carry_out(struct worker *worker, void *arg)
{
    struct call *call = arg;
    (void)worker;
    switch (call->order) {
    case OPEN:
        call->result = acceptors_open(&acceptors, PORT_ID, port_fd, &target);
        break;
    case CLOSE:
    case CLOSE_AFTER_ALL:
        acceptors_close(&acceptors, PORT_ID, call->order == CLOSE_AFTER_ALL);
        break;
    case END_ALL:
        acceptors_end_all(&acceptors, PORT_ID);
        break;
    case ANY:
        call->result = any();
        break;
    }
}

/* In the first one's thread, as the header wants it. */
static int order(enum order order)
{
    struct call call = {.order = order};
    ck_assert_int_eq(worker_ask(&acceptors.acceptor[0].worker, carry_out, &call), 0);
    return call.result;
}

static struct sockaddr_storage start(void)
{
    struct err err = {0};
    struct sockaddr_storage port = {0};
    pthread_t thread;
    service_fd = listen_anywhere(&target, 0);
    port_fd = listen_anywhere(&port, SOCK_NONBLOCK);
    ck_assert_msg(acceptors_init(&acceptors, ACCEPTORS, &movers, GATEWAY_SOURCE_IP_NONE, &err) == 0,
                  "%s", err.msg);
    ck_assert_msg(acceptors_start(&acceptors, &err) == 0, "%s", err.msg);
    ck_assert_int_eq(pthread_create(&thread, NULL, live, &acceptors.acceptor[0].worker), 0);
    ck_assert_int_eq(pthread_detach(thread), 0);
    return port;
}

static void connect_all(const struct sockaddr_storage *port)
{
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(
            connect(clients[i], (const struct sockaddr *)port, sizeof(struct sockaddr_in)), 0);
    }
}

static bool readable(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, PATIENCE_MS) == 1;
}

/* The service has a connection of each client, and each hears from it. */
static void expect_all_served(void)
{
    char byte;
    for (int i = 0; i < CLIENTS; i++) {
        ck_assert_msg(readable(service_fd), "connection %d does not come", i);
        services[i] = accept4(service_fd, NULL, NULL, SOCK_CLOEXEC);
        ck_assert_int_eq((int)write(services[i], "x", 1), 1);
    }
    for (int i = 0; i < CLIENTS; i++) {
        ck_assert_msg(readable(clients[i]), "client %d hears nothing", i);
        ck_assert_int_eq((int)read(clients[i], &byte, 1), 1);
    }
}

static void expect_none_left(void)
{
    for (int ms = 0; ms < PATIENCE_MS && order(ANY); ms++)
        (void)poll(NULL, 0, 1);
    ck_assert_int_eq(order(ANY), 0);
}

START_TEST(clients_are_served_and_ended)
{
    char byte;
    const struct sockaddr_storage port = start();
    ck_assert_int_eq(order(OPEN), 0);
    connect_all(&port);
    expect_all_served();
    ck_assert_int_eq(order(ANY), 1);
    order(CLOSE);
    ck_assert_int_eq(order(ANY), 1);
    order(END_ALL);
    for (int i = 0; i < CLIENTS; i++) {
        ck_assert_int_eq((int)read(clients[i], &byte, 1), -1);
        ck_assert_int_eq(errno, ECONNRESET);
    }
    expect_none_left();
}
END_TEST

START_TEST(whoever_is_in_the_queue_is_taken_before_the_end)
{
    const struct sockaddr_storage port = start();
    connect_all(&port); /* nobody takes them yet */
    ck_assert_int_eq(order(OPEN), 0);
    order(CLOSE_AFTER_ALL);
    fd_close(port_fd);
    expect_all_served();
    ck_assert_int_eq(order(ANY), 1);
    for (int i = 0; i < CLIENTS; i++) {
        fd_close(clients[i]);
        fd_close(services[i]);
    }
    expect_none_left();
}
END_TEST

START_TEST(a_port_comes_and_goes_beside_its_clients)
{
    const struct sockaddr_storage port = start();
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(order(OPEN), 0);
        if (i == 25)
            connect_all(&port);
        order(CLOSE);
    }
    ck_assert_int_eq(order(OPEN), 0);
    expect_all_served();
    order(CLOSE);
    order(CLOSE);
    order(END_ALL);
    expect_none_left();
}
END_TEST

/* The one that ends the connections is itself to take a client who was passed on: it cannot wait
 * for him. */
START_TEST(connections_are_ended_while_a_client_is_passed_on)
{
    char byte;
    const struct sockaddr_storage port = start();
    ck_assert_int_eq(order(OPEN), 0);
    connect_all(&port);
    expect_all_served();
    order(CLOSE);
    (void)atomic_fetch_add(&acceptors.ring.begun, 1);
    order(END_ALL);
    (void)atomic_fetch_add(&acceptors.ring.done, 1);
    for (int i = 0; i < CLIENTS; i++)
        ck_assert_int_eq((int)read(clients[i], &byte, 1), -1);
    expect_none_left();
}
END_TEST

START_TEST(a_refusal_is_a_reset_and_counted)
{
    char byte;
    const struct sockaddr_storage port = start();
    fd_close(service_fd);
    ck_assert_int_eq(order(OPEN), 0);
    connect_all(&port);
    for (int i = 0; i < CLIENTS; i++) {
        ck_assert_int_eq((int)read(clients[i], &byte, 1), -1);
        ck_assert_int_eq(errno, ECONNRESET);
    }
    expect_none_left();
    ck_assert_uint_eq(acceptors_refused(&acceptors), CLIENTS);
}
END_TEST

static unsigned taken;

/* For everyone who is taken another one comes. */
static void on_one_of_a_flood(struct listener *listener, int take_sock,
                              const struct sockaddr_storage *peer)
{
    struct sockaddr_in port;
    socklen_t len = sizeof port;
    (void)peer;
    taken++;
    relay_reset(take_sock);
    ck_assert_int_eq(getsockname(listener->fd, (struct sockaddr *)&port, &len), 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(client, (struct sockaddr *)&port, sizeof port), 0);
    relay_reset(client);
}

START_TEST(a_flood_does_not_keep_a_port_that_closes)
{
    static struct worker worker;
    struct listener listener;
    struct err err = {0};
    struct sockaddr_storage port;
    port_fd = listen_anywhere(&port, SOCK_NONBLOCK);
    ck_assert_msg(worker_init(&worker, &err) == 0, "%s", err.msg);
    ck_assert_int_eq(listener_start(&listener, &worker, port_fd, on_one_of_a_flood), 0);
    connect_all(&port);
    listener_take_all(&listener);
    ck_assert_uint_ge(taken, CLIENTS);
    listener_stop(&listener);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("acceptors");
    TCase *cases = tcase_create("acceptors");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, clients_are_served_and_ended);
    tcase_add_test(cases, whoever_is_in_the_queue_is_taken_before_the_end);
    tcase_add_test(cases, a_port_comes_and_goes_beside_its_clients);
    tcase_add_test(cases, connections_are_ended_while_a_client_is_passed_on);
    tcase_add_test(cases, a_refusal_is_a_reset_and_counted);
    tcase_add_test(cases, a_flood_does_not_keep_a_port_that_closes);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
