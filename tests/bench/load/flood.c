/*
 * Datagrams at a rate. A paced sender wakes every TICK_NS and sends what is due since the last
 * time; it sleeps in between, as it shares the CPUs with what it loads.
 */
#include <errno.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/parse.h"
#include "tests/bench/load/load.h"

#define TICK_NS 100000U
/* Bytes of one UDP_SEGMENT message; the kernel takes no more than 64 KiB. */
#define SEGMENTS_MAX (65000U / LOAD_DATAGRAM)

struct flood {
    int fd;
    uint32_t segments, mbits, ms;
    uint64_t sent; /* datagrams that the kernel took */
};

static int connect_socket(const struct sockaddr_in *to, uint32_t segments, struct err *err)
{
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int size = LOAD_DATAGRAM;

    if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0)
        return err_sys(err, errno, "UDP socket");
    if (segments > 1 && setsockopt(fd, SOL_UDP, UDP_SEGMENT, &size, sizeof(size)) < 0)
        return err_sys(err, errno, "UDP_SEGMENT");
    return take_fd(&fd);
}

static void send_once(struct flood *flood)
{
    static char bytes[SEGMENTS_MAX * LOAD_DATAGRAM];

    /* A full queue and a closed port lose datagrams: the sink sees it. */
    if (send(flood->fd, bytes, (size_t)flood->segments * LOAD_DATAGRAM, 0) > 0)
        flood->sent += flood->segments;
}

/* @return how many datagrams are to have left by now */
static uint64_t due(const struct flood *flood, uint64_t elapsed)
{
    if (flood->mbits == 0)
        return UINT64_MAX;
    return (uint64_t)((double)elapsed / 1e9 * flood->mbits * 1e6 / (LOAD_DATAGRAM * 8));
}

static uint64_t send_until_end(struct flood *flood)
{
    uint64_t start = load_now(), now = start, tried = 0;
    const uint64_t end = start + (uint64_t)flood->ms * 1000000U;
    const struct timespec tick = {.tv_nsec = TICK_NS};

    for (; now < end; now = load_now()) {
        if (tried + flood->segments > due(flood, now - start)) {
            nanosleep(&tick, NULL);
            continue;
        }
        send_once(flood);
        tried += flood->segments;
    }
    return now - start;
}

int load_flood(char **argv, struct err *err)
{
    struct flood flood = {.fd = -EBADF};
    struct sockaddr_in to;
    int r;

    if ((r = load_address(argv, &to, err)) < 0 ||
        (r = parse_u32("Mbit/s", argv[2], 0, 1000000, &flood.mbits, err)) < 0 ||
        (r = parse_u32("segments", argv[3], 1, SEGMENTS_MAX, &flood.segments, err)) < 0 ||
        (r = parse_u32("milliseconds", argv[4], 1, 600000, &flood.ms, err)) < 0)
        return r;
    flood.fd = connect_socket(&to, flood.segments, err);
    if (flood.fd < 0)
        return flood.fd;
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    uint64_t elapsed = send_until_end(&flood);
    fd_close(flood.fd);
    printf("{\"sent\": %lu, \"seconds\": %.6f}\n", (unsigned long)flood.sent,
           (double)elapsed / 1e9);
    return 0;
}
