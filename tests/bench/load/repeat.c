/* The same thing again and again, in one or more processes. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/parse.h"
#include "tests/bench/load/load.h"

/* Shared with the workers, which are killed in the midst of it. */
struct counts {
    atomic_ulong done, failed;
};

static _Noreturn void work(const struct sockaddr_in *to, load_once_fn *once, struct counts *counts)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;)
        atomic_fetch_add(once(to) ? &counts->done : &counts->failed, 1);
}

static int run_workers(const struct sockaddr_in *to, load_once_fn *once, uint32_t workers,
                       uint32_t ms, struct counts *counts)
{
    pid_t pids[LOAD_WORKERS_MAX];
    uint32_t started = 0;
    int r = 0;

    for (; started < workers && r == 0; started++) {
        pids[started] = fork();
        if (pids[started] == 0)
            work(to, once, counts);
        if (pids[started] < 0) {
            r = -errno;
            break;
        }
    }
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    if (r == 0)
        nanosleep(&pause, NULL);
    for (uint32_t i = 0; i < started; i++)
        kill(pids[i], SIGKILL);
    for (uint32_t i = 0; i < started; i++)
        waitpid(pids[i], NULL, 0);
    return r;
}

int load_repeat(char **argv, load_once_fn *once, struct err *err)
{
    struct sockaddr_in to;
    uint32_t workers, ms;
    int r;

    if ((r = load_address(argv, &to, err)) < 0 ||
        (r = parse_u32("workers", argv[2], 1, LOAD_WORKERS_MAX, &workers, err)) < 0 ||
        (r = parse_u32("milliseconds", argv[3], 1, 600000, &ms, err)) < 0)
        return r;
    struct counts *counts =
        mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (counts == MAP_FAILED)
        return err_sys(err, errno, "mmap");
    uint64_t start = load_now();
    r = run_workers(&to, once, workers, ms, counts);
    if (r < 0)
        return err_sys(err, -r, "fork");
    printf("{\"done\": %lu, \"failed\": %lu, \"seconds\": %.6f}\n", atomic_load(&counts->done),
           atomic_load(&counts->failed), (double)(load_now() - start) / 1e9);
    return 0;
}
