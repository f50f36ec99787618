#include "rootlesskit/api/connections.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "lib/base/clock.h"

struct connection {
    bool taken;
    bool shut;
    bool waits;
    int fd;
    int64_t quiet_since_ms;
};

static struct connection places[CONNECTIONS_MAX];
static unsigned n_taken;

struct connection *connections_enter(int fd)
{
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        if (places[i].taken)
            continue;
        places[i] = (struct connection){.taken = true, .fd = fd, .quiet_since_ms = clock_ms()};
        n_taken++;
        return &places[i];
    }
    return NULL;
}

void connections_wait(struct connection *connection)
{
    connection->waits = true;
}

void connections_served(struct connection *connection)
{
    connection->waits = false;
    connection->quiet_since_ms = clock_ms();
}

void connections_leave(struct connection *connection)
{
    if (!connection)
        return;
    connection->taken = false;
    n_taken--;
}

int connections_make_room(void)
{
    if (n_taken < CONNECTIONS_MAX)
        return -1;
    int64_t now = clock_ms(), wait = CONNECTIONS_GRACE_MS;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        int64_t left = places[i].quiet_since_ms + CONNECTIONS_GRACE_MS - now;
        if (places[i].shut || places[i].waits)
            continue;
        if (left <= 0) {
            (void)shutdown(places[i].fd, SHUT_RDWR);
            places[i].shut = true;
        } else if (left < wait) {
            wait = left;
        }
    }
    return (int)wait;
}
