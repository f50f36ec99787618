/* Receives datagrams as a server in a hurry does: many a system call, coalesced ones in one. */
#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "tests/bench/load/load.h"

#define BATCH 64
/* Largest that UDP_GRO hands over. */
#define MESSAGE_MAX 65536
/* A queue that outlasts the sink's wait for a CPU: what is measured is the path to it. */
#define QUEUE_BYTES (4 << 20)
/* Nothing for that long: what is under way has come or is lost. */
#define QUIET_MS 50

/* Bytes of what is there. @return 0 when nothing is */
static uint64_t receive(int fd)
{
    static char bytes[BATCH][MESSAGE_MAX];
    struct iovec parts[BATCH];
    struct mmsghdr messages[BATCH];
    uint64_t total = 0;

    for (int i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){.iov_base = bytes[i], .iov_len = MESSAGE_MAX};
        messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
    }
    int n = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++)
        total += messages[i].msg_len;
    return total;
}

/* The rest of a run. */
static uint64_t receive_rest(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    uint64_t total = 0;

    while (poll(&ready, 1, QUIET_MS) > 0)
        total += receive(fd);
    return total;
}

static void serve(int fd)
{
    struct pollfd ready[] = {{.fd = fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
    uint64_t total = 0;
    char line[64];

    for (;;) {
        if (poll(ready, 2, -1) < 0 && errno != EINTR)
            return;
        if (ready[0].revents != 0)
            total += receive(fd);
        if (ready[1].revents == 0)
            continue;
        if (read(STDIN_FILENO, line, sizeof(line)) <= 0)
            return;
        total += receive_rest(fd);
        printf("{\"received\": %lu}\n", (unsigned long)(total / LOAD_DATAGRAM));
        fflush(stdout);
        total = 0;
    }
}

int load_sink(char **argv, struct err *err)
{
    cleanup_close int fd = load_bind(argv, SOCK_DGRAM, err);
    int yes = 1, size = QUEUE_BYTES;

    if (fd < 0)
        return fd;
    if (setsockopt(fd, SOL_UDP, UDP_GRO, &yes, sizeof(yes)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)) < 0)
        return err_sys(err, errno, "options of the UDP socket");
    serve(fd);
    return 0;
}
