/* Lookups of a name's address, and the server that answers them. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "tests/bench/load/load.h"

/* RFC 1035, 4.1: a query for the address of "a.test", recursion desired; and the record that
 * answers it, its name a pointer to the question's. */
static const unsigned char QUERY[] = {0, 0,   1, 0,   0,   1,   0,   0, 0, 0, 0, 0,
                                      1, 'a', 4, 't', 'e', 's', 't', 0, 0, 1, 0, 1};
static const unsigned char RECORD[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1};

/* As a resolver does it: a socket and an id for each. */
static bool looks_up(const struct sockaddr_in *to)
{
    cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const struct timeval patience = {.tv_sec = 1};
    unsigned char query[sizeof(QUERY)], answer[512];

    memcpy(query, QUERY, sizeof(query));
    query[0] = (unsigned char)rand();
    query[1] = (unsigned char)rand();
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
        connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0 ||
        send(fd, query, sizeof(query), 0) < 0)
        return false;
    ssize_t n = recv(fd, answer, sizeof(answer), 0);
    return n == sizeof(QUERY) + sizeof(RECORD) && memcmp(answer, query, 2) == 0;
}

int load_lookup(char **argv, struct err *err)
{
    return load_repeat(argv, looks_up, err);
}

static void answer_once(int fd)
{
    struct sockaddr_storage from;
    socklen_t length = sizeof(from);
    unsigned char message[sizeof(QUERY) + sizeof(RECORD) + 1];

    ssize_t n = recvfrom(fd, message, sizeof(message), 0, (struct sockaddr *)&from, &length);
    if (n != sizeof(QUERY))
        return;
    message[2] |= 0x80; /* a response */
    message[7] = 1;     /* with one record */
    memcpy(message + n, RECORD, sizeof(RECORD));
    /* Who asked and is gone counts the failure himself. */
    (void)sendto(fd, message, sizeof(QUERY) + sizeof(RECORD), 0, (struct sockaddr *)&from, length);
}

int load_answer(char **argv, struct err *err)
{
    cleanup_close int fd = load_bind(argv, SOCK_DGRAM, err);

    if (fd < 0)
        return fd;
    for (;;)
        answer_once(fd);
}
