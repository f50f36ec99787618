#include "tests/unit/tap.h"

#include <stdint.h>

#include "lib/base/clock.h"
#include "rootlesskit/gateway/room.h"

#define MAX 2
#define CLAIMS 5

static struct room room;
static struct room_claim claims[CLAIMS];
static const struct room_claim *granted[CLAIMS * 4];
static int n_granted;

static void on_granted(struct room_claim *claim)
{
    granted[n_granted++] = claim;
}

static void set_up(void)
{
    room_init(&room, MAX, on_granted);
}

static void fill(void)
{
    for (int i = 0; i < MAX; i++)
        room_take(&room, &claims[i]);
}

START_TEST(there_is_so_much_and_no_more)
{
    fill();
    ck_assert(!room_is_open(&room, &claims[2]));
    room_take(&room, &claims[2]);
    ck_assert(!claims[2].has);
    ck_assert(room_is_open(&room, &claims[0])); /* it has some */
    room_leave(&room, &claims[0]);
    ck_assert(room_is_open(&room, &claims[2]));
}
END_TEST

START_TEST(twice_is_once)
{
    room_take(&room, &claims[0]);
    room_take(&room, &claims[0]);
    room_take(&room, &claims[1]);
    ck_assert(claims[1].has);
    room_wait(&room, &claims[2]);
    room_wait(&room, &claims[2]);
    room_leave(&room, &claims[2]);
    room_leave(&room, &claims[2]);
    ck_assert(!room_is_wanted(&room));
    room_leave(&room, &claims[0]);
    room_leave(&room, &claims[0]);
    ck_assert_uint_eq(room.left, 1);
}
END_TEST

START_TEST(nobody_waits_where_some_is_left)
{
    room_wait(&room, &claims[0]);
    ck_assert(!room_is_waiting(&claims[0]));
    fill();
    room_wait(&room, &claims[0]); /* which has some */
    ck_assert(!room_is_waiting(&claims[0]));
}
END_TEST

START_TEST(what_comes_back_is_the_first_ones)
{
    fill();
    for (int i = MAX; i < CLAIMS; i++)
        room_wait(&room, &claims[i]);
    room_leave(&room, &claims[1]);
    ck_assert_int_eq(n_granted, 1);
    ck_assert_ptr_eq(granted[0], &claims[2]);
    ck_assert(claims[2].has && !room_is_waiting(&claims[2]));
    ck_assert(!room_is_open(&room, &claims[1])); /* not again, before the others */
}
END_TEST

START_TEST(who_leaves_the_queue_gets_nothing)
{
    fill();
    for (int i = MAX; i < CLAIMS; i++)
        room_wait(&room, &claims[i]);
    room_leave(&room, &claims[3]);
    room_leave(&room, &claims[2]);
    room_leave(&room, &claims[0]);
    ck_assert_int_eq(n_granted, 1);
    ck_assert_ptr_eq(granted[0], &claims[4]);
    ck_assert(!room_is_wanted(&room));
    room_leave(&room, &claims[1]);
    room_leave(&room, &claims[4]);
    ck_assert_uint_eq(room.left, MAX);
}
END_TEST

/* All of them always want some, and whoever has some gives it back at once. */
START_TEST(everybody_has_his_turn)
{
    fill();
    for (int i = MAX; i < CLAIMS; i++)
        room_wait(&room, &claims[i]);
    for (int i = 0; i < CLAIMS * 3; i++) {
        struct room_claim *claim = &claims[i % CLAIMS];
        ck_assert_msg(claim->has, "%d has none when it is his turn", i % CLAIMS);
        room_leave(&room, claim);
        room_wait(&room, claim);
    }
    ck_assert_int_eq(n_granted, CLAIMS * 3);
}
END_TEST

START_TEST(overdue_is_who_keeps_others_waiting)
{
    fill();
    int64_t later = clock_ms() + 1000;
    ck_assert(!room_is_overdue(&room, &claims[0], later)); /* nobody waits */
    room_wait(&room, &claims[2]);
    ck_assert(room_is_overdue(&room, &claims[0], later));
    ck_assert(!room_is_overdue(&room, &claims[0], later - 2000));
    ck_assert(!room_is_overdue(&room, &claims[2], later)); /* which has none */
    room_leave(&room, &claims[0]);
    ck_assert(!room_is_overdue(&room, &claims[1], later));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("room");
    TCase *cases = tcase_create("room");
    tcase_add_checked_fixture(cases, set_up, NULL);
    tcase_add_test(cases, there_is_so_much_and_no_more);
    tcase_add_test(cases, twice_is_once);
    tcase_add_test(cases, nobody_waits_where_some_is_left);
    tcase_add_test(cases, what_comes_back_is_the_first_ones);
    tcase_add_test(cases, who_leaves_the_queue_gets_nothing);
    tcase_add_test(cases, everybody_has_his_turn);
    tcase_add_test(cases, overdue_is_who_keeps_others_waiting);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
