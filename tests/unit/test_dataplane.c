/*
 * The parent's side of the data plane's control socket; a thread plays the data plane.
 */
#include "tests/unit/tap.h"

#include <errno.h>
#include <pthread.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/msg.h"
#include "rootlesskit/dataplane.h"
#include "rootlesskit/gateway/gateway.h"

#define ID 7

/* First comes the reply to a request that the parent has given up. */
static void *reply_late(void *arg)
{
    const int *fd = arg;
    struct gateway_request request;
    if (msg_recv(*fd, &request, sizeof request, NULL, NULL) != 1)
        return NULL;
    struct gateway_reply late = {
        .op = request.op, .id = request.id, .serial = request.serial - 1, .code = -ENOENT};
    const struct gateway_reply reply = {
        .op = request.op, .id = request.id, .serial = request.serial};
    (void)msg_send(*fd, &late, sizeof late, NULL, 0);
    late.op = GATEWAY_FLOWS;
    (void)msg_send(*fd, &late, sizeof late, NULL, 0);
    (void)msg_send(*fd, &reply, sizeof reply, NULL, 0);
    return NULL;
}

START_TEST(a_reply_that_comes_too_late_is_passed_over)
{
    struct dataplane plane = DATAPLANE_UNSET;
    struct err err = {0};
    pthread_t thread;
    int pair[2];
    ck_assert_int_eq(msg_pair(pair, &err), 0);
    plane.control_fd = pair[0];
    plane.serial = 41;
    ck_assert_int_eq(pthread_create(&thread, NULL, reply_late, &pair[1]), 0);
    ck_assert_msg(dataplane_remove_port(&plane, ID, &err) == 0, "%s", err.msg);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    fd_close(pair[1]);
    dataplane_stop(&plane);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dataplane");
    TCase *cases = tcase_create("dataplane");
    tcase_add_test(cases, a_reply_that_comes_too_late_is_passed_over);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
