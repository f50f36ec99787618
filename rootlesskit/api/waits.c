#include "rootlesskit/api/waits.h"

#include <errno.h>
#include <stddef.h>

#include "lib/base/err.h"
#include "rootlesskit/api/ask.h"
#include "rootlesskit/api/connections.h"
#include "rootlesskit/api/control.h"

static struct wait {
    struct MHD_Connection *connection; /* NULL: a free place */
    unsigned id;
    bool over;
    int code; /* how it came out */
    struct err err;
} waits[WAITS_MAX];

static struct wait *find(struct MHD_Connection *connection)
{
    for (size_t i = 0; i < WAITS_MAX; i++)
        if (waits[i].connection == connection)
            return &waits[i];
    return NULL;
}

static void set_busy(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (info && info->socket_context)
        connections_wait(info->socket_context);
}

void waits_begin(struct MHD_Connection *connection, unsigned id)
{
    struct wait *wait = find(NULL);
    if (!wait)
        return;
    *wait = (struct wait){.connection = connection, .id = id};
    set_busy(connection);
    MHD_suspend_connection(connection);
}

int waits_end(struct MHD_Connection *connection, struct err *err)
{
    struct wait *wait = find(connection);
    if (!wait)
        return -ENODATA;
    if (!wait->over)
        return -EINPROGRESS;
    *err = wait->err;
    wait->connection = NULL;
    return wait->code;
}

void waits_forget(struct MHD_Connection *connection)
{
    struct wait *wait = find(connection);
    if (wait)
        wait->connection = NULL;
}

bool waits_full(void)
{
    return !find(NULL);
}

int waits_poll(void)
{
    int due = -1;
    for (size_t i = 0; i < WAITS_MAX; i++) {
        struct wait *wait = &waits[i];
        struct control_request request = {.op = CONTROL_DRAINED, .id = wait->id};
        struct control_reply reply;
        if (!wait->connection || wait->over)
            continue;
        wait->code = ask(&request, &reply, &wait->err);
        if (wait->code == -EINPROGRESS) {
            due = due < 0 ? WAITS_POLL_MS : due;
            continue;
        }
        wait->over = true;
        due = 0;
        MHD_resume_connection(wait->connection);
    }
    return due;
}
