#include "tests/unit/tap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "uidmapd/protocol.h"
#include "uidmapd/queue.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct uidmapd_request message;
static struct idmap_request got;

static const struct {
    uint32_t version, kind, n;
    struct idmap_extent extents[2];
    int result;
    const char *says;
} requests[] = {
    {1, SUBID_UID, 1, {{0, 100000, 65536}}, 0, ""},
    {1, SUBID_GID, 2, {{0, 1000, 1}, {1, 100000, 65536}}, 0, ""},
    {1, SUBID_UID, 1, {{UINT32_MAX - 1, 0, 1}}, 0, ""},
    {1, SUBID_UID, 1, {{0, 0, UINT32_MAX}}, 0, ""},
    {0, SUBID_UID, 1, {{0, 1, 1}}, -EPROTO, "version 1"},
    {2, SUBID_UID, 1, {{0, 1, 1}}, -EPROTO, "the client 2"},
    {1, 2, 1, {{0, 1, 1}}, -EPROTO, "kind 2"},
    {1, UINT32_MAX, 1, {{0, 1, 1}}, -EPROTO, "kind 4294967295"},
    {1, SUBID_UID, 0, {{0, 1, 1}}, -EPROTO, "not 0"},
    {1, SUBID_UID, IDMAP_EXTENTS_MAX + 1, {{0, 1, 1}}, -EPROTO, "not 341"},
    {1, SUBID_UID, UINT32_MAX, {{0, 1, 1}}, -EPROTO, "not 4294967295"},
    {1, SUBID_UID, 1, {{0, 1, 0}}, -ERANGE, "subuid overflow detected: range 0 1 0"},
    {1, SUBID_GID, 1, {{UINT32_MAX, 1, 1}}, -ERANGE, "subgid overflow"},
    {1, SUBID_UID, 1, {{1, UINT32_MAX, 1}}, -ERANGE, "subuid overflow"},
    {1, SUBID_UID, 1, {{1, 0, UINT32_MAX}}, -ERANGE, "subuid overflow"},
    {1, SUBID_UID, 1, {{0, 4294967290, 10}}, -ERANGE, "subuid overflow"},
    {1, SUBID_UID, 2, {{0, 10, 5}, {4, 20, 5}}, -EINVAL, "overlaps range [0-5) -> [10-15) inside"},
    {1, SUBID_UID, 2, {{0, 10, 5}, {5, 14, 5}}, -EINVAL, "outside the namespace"},
};

START_TEST(requests_are_read_as_a_command_line_is)
{
    struct err err = {0};
    message = (struct uidmapd_request){
        .version = requests[_i].version, .kind = requests[_i].kind, .n = requests[_i].n};
    memcpy(message.extents, requests[_i].extents, sizeof requests[_i].extents);
    int r = uidmapd_request_read(&message, 7, &got, &err);
    ck_assert_msg(r == requests[_i].result && strstr(err.msg, requests[_i].says), "%d: %s", r,
                  err.msg);
    if (r < 0)
        return;
    ck_assert_int_eq(got.target.fd, 7);
    ck_assert_int_eq(got.target.pid, -1);
    ck_assert_uint_eq(got.kind, requests[_i].kind);
    ck_assert_uint_eq(got.extents.n, requests[_i].n);
}
END_TEST

START_TEST(what_the_client_makes_is_what_the_broker_reads)
{
    char text[][8] = {"123", "0", "1000", "1", "1", "100000", "65536"};
    char *words[COUNT(text)];
    for (size_t i = 0; i < COUNT(text); i++)
        words[i] = text[i];
    static struct idmap_request asked;
    ck_assert_int_eq(idmap_parse(SUBID_GID, COUNT(words), words, &asked, NULL), 0);
    uidmapd_request_make(&asked, &message);
    ck_assert_int_eq(uidmapd_request_read(&message, 3, &got, NULL), 0);
    ck_assert_uint_eq(got.kind, SUBID_GID);
    ck_assert_uint_eq(got.extents.n, 2);
    ck_assert_int_eq(memcmp(got.extents.list, asked.extents.list, 2 * sizeof(struct idmap_extent)),
                     0);
}
END_TEST

START_TEST(the_longest_answer_is_whole)
{
    struct err err = {.code = EPERM};
    struct uidmapd_answer answer;
    memset(err.msg, 'x', sizeof err.msg - 1);
    uidmapd_answer_make(&err, &answer);
    ck_assert_int_eq(answer.code, EPERM);
    ck_assert_str_eq(answer.text, err.msg);
}
END_TEST

static struct queue queue;

static int admit(uid_t uid)
{
    int victim;
    int slot = queue_admit(&queue, uid, 0, &victim);
    ck_assert_int_eq(victim, -1);
    if (slot >= 0)
        queue_ready(&queue, slot, 0);
    return slot;
}

/* @return the uid served, 0 when nobody is */
static uid_t serve_next(int *ret_user)
{
    int slot = queue_next(&queue);
    if (slot < 0)
        return 0;
    *ret_user = queue_start(&queue, slot);
    return queue.users[*ret_user].uid;
}

START_TEST(one_users_requests_are_served_in_order)
{
    int user, slots[3];
    queue_init(&queue, 100);
    for (int i = 0; i < 3; i++)
        slots[i] = admit(1000);
    queue_leave(&queue, slots[0]);
    ck_assert_int_eq(admit(1000), slots[0]); /* a low slot, but the youngest */
    ck_assert_int_eq(queue_next(&queue), slots[1]);
    (void)serve_next(&user);
    ck_assert_int_eq(queue_next(&queue), slots[2]);
    (void)serve_next(&user);
    ck_assert_int_eq(queue_next(&queue), slots[0]);
}
END_TEST

START_TEST(a_silent_connection_is_not_served)
{
    int victim, user;
    queue_init(&queue, 100);
    ck_assert_int_ge(queue_admit(&queue, 1, 0, &victim), 0);
    ck_assert_int_eq(queue_next(&queue), -1);
    ck_assert_int_ge(admit(2), 0);
    ck_assert_uint_eq(serve_next(&user), 2);
}
END_TEST

START_TEST(a_user_may_run_only_so_many)
{
    int user = -1;
    queue_init(&queue, 1000);
    for (int i = 0; i < 100; i++)
        ck_assert_int_ge(admit(1), 0);
    for (int i = 0; i < QUEUE_USER_RUNNING_MAX; i++)
        ck_assert_uint_eq(serve_next(&user), 1);
    ck_assert_uint_eq(serve_next(&user), 0);
    ck_assert_int_ge(admit(2), 0); /* last to come, next to be served */
    int other;
    ck_assert_uint_eq(serve_next(&other), 2);
    ck_assert_uint_eq(serve_next(&other), 0);
    queue_ended(&queue, user, true);
    ck_assert_uint_eq(serve_next(&user), 1);
}
END_TEST

START_TEST(who_runs_least_is_next)
{
    int user;
    queue_init(&queue, 1000);
    for (uid_t uid = 1; uid <= QUEUE_RUNNING_MAX / QUEUE_USER_RUNNING_MAX; uid++)
        for (int i = 0; i < 20; i++)
            ck_assert_int_ge(admit(uid), 0);
    for (int i = 0; i < QUEUE_RUNNING_MAX; i++)
        ck_assert_uint_ne(serve_next(&user), 0);
    ck_assert_int_ge(admit(99), 0);
    ck_assert_uint_eq(serve_next(&user), 0); /* all places are taken */
    queue_ended(&queue, 0, true);
    ck_assert_uint_eq(serve_next(&user), 99);
}
END_TEST

START_TEST(a_worker_that_hangs_costs_only_its_user)
{
    int user = 0;
    queue_init(&queue, 1000);
    for (uid_t uid = 1; uid <= QUEUE_RUNNING_MAX / QUEUE_USER_RUNNING_MAX; uid++)
        for (int i = 0; i < QUEUE_USER_RUNNING_MAX; i++) {
            ck_assert_int_ge(admit(uid), 0);
            ck_assert_uint_eq(serve_next(&user), uid);
        }
    for (int i = 0; i < QUEUE_RUNNING_MAX; i++)
        queue_write_off(&queue);
    ck_assert_int_ge(admit(1), 0);
    ck_assert_uint_eq(serve_next(&user), 0);
    ck_assert_int_ge(admit(50), 0);
    ck_assert_uint_eq(serve_next(&user), 50);
    queue_ended(&queue, 0, false);
    ck_assert_uint_eq(serve_next(&user), 1);
    ck_assert_uint_eq(queue.running, 2);
}
END_TEST

START_TEST(a_bucket_empties_and_refills)
{
    int victim;
    queue_init(&queue, 10);
    for (int i = 0; i < QUEUE_BURST; i++) {
        int slot = admit(1);
        ck_assert_int_ge(slot, 0);
        queue_leave(&queue, slot);
    }
    ck_assert_int_eq(admit(1), QUEUE_TOO_FAST);
    ck_assert_int_ge(admit(2), 0);
    /* asking again and again does not keep it from refilling: 5 ms make one */
    int64_t now = 0;
    int allowed = 0;
    for (; now < 1000; now++) {
        int slot = queue_admit(&queue, 1, now, &victim);
        if (slot >= 0) {
            allowed++;
            queue_leave(&queue, slot);
        }
    }
    ck_assert_int_ge(allowed, QUEUE_REFILL_PER_S - 2);
    ck_assert_int_le(allowed, QUEUE_REFILL_PER_S);
}
END_TEST

START_TEST(an_empty_bucket_is_not_forgotten)
{
    queue_init(&queue, 10);
    for (int i = 0; i < QUEUE_BURST; i++)
        queue_leave(&queue, admit(1));
    for (uid_t uid = 2; uid < 2 + 3 * QUEUE_USERS_MAX; uid++)
        queue_leave(&queue, admit(uid));
    ck_assert_int_eq(admit(1), QUEUE_TOO_FAST);
}
END_TEST

START_TEST(a_user_holds_only_so_many_slots)
{
    queue_init(&queue, QUEUE_SLOTS_MAX);
    for (int i = 0; i < QUEUE_USER_SLOTS_MAX; i++)
        ck_assert_int_ge(admit(1), 0);
    ck_assert_int_eq(admit(1), QUEUE_TOO_MANY);
    ck_assert_int_ge(admit(2), 0);
}
END_TEST

START_TEST(when_full_the_richest_gives)
{
    int victim, slot, newest = -1;
    queue_init(&queue, 10);
    for (int i = 0; i < 4; i++)
        ck_assert_int_ge(admit(1), 0);
    for (int i = 0; i < 6; i++)
        newest = admit(2);
    slot = queue_admit(&queue, 3, 0, &victim); /* 2's youngest, all of them having asked */
    ck_assert_int_eq(victim, newest);
    ck_assert_int_eq(slot, victim);
    ck_assert_uint_eq(queue.waiting, 10);
    ck_assert_int_eq(queue_admit(&queue, 2, 0, &victim), QUEUE_FULL);
    ck_assert_int_eq(victim, -1);
    for (int i = 0; i < 2; i++) /* until none holds more than one above 3 */
        ck_assert_int_ge(queue_admit(&queue, 3, 0, &victim), 0);
    ck_assert_int_eq(queue_admit(&queue, 3, 0, &victim), QUEUE_FULL);
}
END_TEST

START_TEST(silent_connections_go_first)
{
    int victim;
    queue_init(&queue, 3);
    ck_assert_int_ge(admit(1), 0);
    int silent = queue_admit(&queue, 1, 0, &victim);
    ck_assert_int_ge(queue_admit(&queue, 1, 0, &victim), 0);
    ck_assert_int_ge(queue_admit(&queue, 2, 0, &victim), 0);
    ck_assert_int_eq(victim, silent); /* the older of the two */
}
END_TEST

/* Whatever happens in whatever order, the counts are those of the tables. */
START_TEST(counts_hold)
{
    int running[QUEUE_RUNNING_MAX], n = 0, victim;
    unsigned seed = 4711;
    queue_init(&queue, 50);
    for (int64_t step = 0; step < 20000; step++) {
        uid_t uid = (uid_t)(rand_r(&seed) % 7);
        int what = rand_r(&seed) % 4, slot = rand_r(&seed) % 50;
        if (what == 0) {
            (void)queue_admit(&queue, uid, step * 10, &victim);
        } else if (what == 1 && queue.slots[slot].user >= 0) {
            queue_ready(&queue, slot, step);
        } else if (what == 2 && queue_next(&queue) >= 0) {
            running[n++] = queue_start(&queue, queue_next(&queue));
        } else if (what == 3 && n > 0) {
            queue_ended(&queue, running[--n], true);
        }
        uint32_t waiting = 0, of_users = 0, of_running = 0;
        for (int i = 0; i < QUEUE_SLOTS_MAX; i++)
            waiting += queue.slots[i].user >= 0;
        for (int i = 0; i < 7; i++) {
            of_users += queue.users[i].waiting;
            of_running += queue.users[i].running;
            ck_assert_uint_le(queue.users[i].running, QUEUE_USER_RUNNING_MAX);
        }
        ck_assert_uint_eq(queue.waiting, waiting);
        ck_assert_uint_eq(of_users, waiting);
        ck_assert_uint_eq(queue.running, (uint32_t)n);
        ck_assert_uint_eq(of_running, (uint32_t)n);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("uidmapd");
    TCase *protocol = tcase_create("protocol"), *fair = tcase_create("queue");
    tcase_add_loop_test(protocol, requests_are_read_as_a_command_line_is, 0, COUNT(requests));
    tcase_add_test(protocol, what_the_client_makes_is_what_the_broker_reads);
    tcase_add_test(protocol, the_longest_answer_is_whole);
    tcase_add_test(fair, one_users_requests_are_served_in_order);
    tcase_add_test(fair, a_silent_connection_is_not_served);
    tcase_add_test(fair, a_user_may_run_only_so_many);
    tcase_add_test(fair, who_runs_least_is_next);
    tcase_add_test(fair, a_worker_that_hangs_costs_only_its_user);
    tcase_add_test(fair, a_bucket_empties_and_refills);
    tcase_add_test(fair, an_empty_bucket_is_not_forgotten);
    tcase_add_test(fair, a_user_holds_only_so_many_slots);
    tcase_add_test(fair, when_full_the_richest_gives);
    tcase_add_test(fair, silent_connections_go_first);
    tcase_add_test(fair, counts_hold);
    tcase_set_timeout(fair, 60);
    suite_add_tcase(suite, protocol);
    suite_add_tcase(suite, fair);
    return tap_run(suite);
}
