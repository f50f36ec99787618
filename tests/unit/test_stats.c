#include "tests/unit/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/fd.h"
#include "lib/base/loop.h"
#include "rootlesskit/gateway/stats.h"
#include "rootlesskit/gateway/worker.h"

struct module {
    struct stats_source stats;
    unsigned n;
};

static void put(struct stats_source *source, struct stats_sink *sink)
{
    const struct module *module = loop_owner(source, struct module, stats);
    for (unsigned i = 0; i < module->n; i++) {
        const struct stats_record record = {.port_id = module->n, .age_s = i};
        stats_put(sink, &record);
    }
}

static struct worker worker;
static struct worker *const workers[] = {&worker};

static void begin(void)
{
    ck_assert_int_eq(worker_init(&worker, NULL), 0);
}

static int memory(void)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    return fd;
}

/* Around what is written at once. */
static const unsigned sizes[] = {0, 1, 127, 128, 129, 256, 10000};

START_TEST(every_record_is_written)
{
    struct module one = {.stats.put = put, .n = sizes[_i]}, other = {.stats.put = put, .n = 3};
    struct stats_record record;
    unsigned n_one = 0, n = 0;
    begin();
    stats_join(&worker.stats, &one.stats);
    stats_join(&worker.stats, &other.stats);
    int fd = memory();
    ck_assert_int_eq(stats_write_flows(workers, 1, fd), 0);
    for (; pread(fd, &record, sizeof record, (off_t)(n * sizeof record)) == sizeof record; n++)
        if (record.port_id == one.n)
            ck_assert_uint_eq(record.age_s, n_one++);
    ck_assert_uint_eq(n, one.n + other.n);
    ck_assert_uint_eq(n_one, one.n);
    ck_assert_int_eq(lseek(fd, 0, SEEK_END), (off_t)(n * sizeof record));
    fd_close(fd);
}
END_TEST

/* It could be full, and whoever writes would wait. */
START_TEST(only_memory_is_written_to)
{
    struct stats_totals totals = {0};
    int ends[2];
    begin();
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(stats_write_flows(workers, 1, ends[1]), -EINVAL);
    ck_assert_int_eq(stats_write_totals(workers, 1, &totals, ends[1]), -EINVAL);
    ck_assert_int_eq(stats_write_flows(workers, 1, -EBADF), -EINVAL);
}
END_TEST

START_TEST(what_cannot_be_written_is_told)
{
    struct module one = {.stats.put = put, .n = 1000};
    begin();
    stats_join(&worker.stats, &one.stats);
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
    ck_assert_int_eq(stats_write_flows(workers, 1, fd), -EPERM);
}
END_TEST

START_TEST(counters_are_summed)
{
    struct stats_totals totals = {.fds = 7}, read;
    begin();
    stats_failed(&worker.stats, STATS_OUTBOUND, ECONNREFUSED);
    stats_failed(&worker.stats, STATS_OUTBOUND, EHOSTUNREACH);
    stats_failed(&worker.stats, STATS_OUTBOUND, ENETUNREACH);
    stats_dropped(&worker.stats, STATS_PUBLISHED, ENOBUFS, 5);
    worker.stats.counters.held--; /* it was counted in another worker */
    worker.stats.counters.dns_failures = 9;
    totals.counters.held = 4;
    int fd = memory();
    ck_assert_int_eq(stats_write_totals(workers, 1, &totals, fd), 0);
    ck_assert_int_eq(pread(fd, &read, sizeof read, 0), sizeof read);
    const struct stats_counters *counters = &read.counters;
    ck_assert_uint_eq(counters->failed[STATS_OUTBOUND][STATS_REFUSED], 1);
    ck_assert_uint_eq(counters->failed[STATS_OUTBOUND][STATS_UNREACHABLE], 2);
    ck_assert_uint_eq(counters->dropped[STATS_PUBLISHED][STATS_SHORTAGE], 5);
    ck_assert_uint_eq(counters->held, 3);
    ck_assert_uint_eq(counters->dns_failures, 9);
    ck_assert_uint_eq(read.fds, 7);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("stats");
    TCase *cases = tcase_create("stats");
    tcase_add_loop_test(cases, every_record_is_written, 0, sizeof sizes / sizeof sizes[0]);
    tcase_add_test(cases, only_memory_is_written_to);
    tcase_add_test(cases, what_cannot_be_written_is_told);
    tcase_add_test(cases, counters_are_summed);
    suite_add_tcase(suite, cases);
    return tap_run(suite);
}
