/* Connections one after the other, in one or more processes; and connections that stay open. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/parse.h"
#include "tests/bench/load/load.h"

/* Shared with the workers, which are killed in the midst of a connection. */
struct counts {
    atomic_ulong done, failed;
};

/* One connection. @return the fd, with the server's byte read; or -errno */
static int dial(const struct sockaddr_in *to)
{
    cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char byte;

    if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
        return -errno;
    if (recv(fd, &byte, 1, 0) != 1)
        return -EPROTO;
    return take_fd(&fd);
}

static bool succeeds(const struct sockaddr_in *to)
{
    cleanup_close int fd = dial(to);
    char byte;

    return fd >= 0 && recv(fd, &byte, 1, 0) == 0;
}

static bool is_refused(const struct sockaddr_in *to)
{
    cleanup_close int fd = dial(to);

    return fd == -ECONNREFUSED;
}

static _Noreturn void work(const struct sockaddr_in *to, bool (*once)(const struct sockaddr_in *),
                           struct counts *counts)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;)
        atomic_fetch_add(once(to) ? &counts->done : &counts->failed, 1);
}

static int run_workers(const struct sockaddr_in *to, bool (*once)(const struct sockaddr_in *),
                       uint32_t workers, uint32_t ms, struct counts *counts)
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

static int measure(char **argv, bool (*once)(const struct sockaddr_in *), struct err *err)
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

int load_dial(char **argv, struct err *err)
{
    return measure(argv, succeeds, err);
}

int load_refused(char **argv, struct err *err)
{
    return measure(argv, is_refused, err);
}

int load_open(char **argv, struct err *err)
{
    struct sockaddr_in to;
    uint32_t count, opened;
    char byte;
    int r;

    if ((r = load_address(argv, &to, err)) < 0 ||
        (r = parse_u32("count", argv[2], 1, 60000, &count, err)) < 0)
        return r;
    for (opened = 0; opened < count; opened++) {
        /* Kept: they close with the process. */
        r = dial(&to);
        if (r < 0)
            return err_sys(err, -r, "connection %u", opened);
    }
    printf("{\"open\": %u}\n", opened);
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
    return 0;
}
