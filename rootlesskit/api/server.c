/*
 * rootlesskit-api: the REST API over api.sock. Started by the parent when somebody connects; ends
 * when nobody has been connected for a while, or with the parent.
 */
#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fdflag.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "rootlesskit/api/ask.h"
#include "rootlesskit/api/connections.h"
#include "rootlesskit/api/control.h"
#include "rootlesskit/api/json.h"
#include "rootlesskit/api/routes.h"
#include "rootlesskit/api/waits.h"

#define IDLE_MS 10000
#define CONNECTION_TIMEOUT_S 30

/* What is read of a body that is too long, so that its sender gets to see the answer. */
#define DISCARD_MAX (1024 * 1024)

static uint32_t command_root; /* who is served too */

/* The socket's mode may be open to all: with --subid-slice the command's root is another user. */
static bool peer_allowed(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct ucred peer;
    socklen_t len = sizeof peer;
    if (!info || getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return false;
    return peer.uid == geteuid() || peer.uid == 0 || peer.uid == command_root;
}

/* @return MHD_NO for one who will not stop: his connection is closed */
static enum MHD_Result collect(struct body *body, const char *data, size_t len)
{
    bool fits = !body->discarded && body->len + len <= API_BODY_MAX;
    char *grown = fits ? realloc(body->text, body->len + len) : NULL;
    if (!grown) {
        body->discarded += len;
        return body->discarded > DISCARD_MAX ? MHD_NO : MHD_YES;
    }
    memcpy(grown + body->len, data, len);
    body->text = grown;
    body->len += len;
    return MHD_YES;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *len, void **state)
{
    (void)context;
    (void)version;
    if (!*state) {
        if (!peer_allowed(connection))
            return MHD_NO;
        *state = calloc(1, sizeof(struct body));
        return *state ? MHD_YES : MHD_NO;
    }
    if (*len > 0) {
        size_t arrived = *len;
        *len = 0;
        return collect(*state, data, arrived);
    }
    return routes_answer(connection, url, method, *state);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    (void)context;
    (void)code;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    if (info && info->socket_context)
        connections_served(info->socket_context);
    waits_forget(connection);
    struct body *body = *state;
    if (body)
        free(body->text);
    free(body);
    *state = NULL;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **place,
                          enum MHD_ConnectionNotificationCode code)
{
    (void)context;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (code == MHD_CONNECTION_NOTIFY_CLOSED)
        connections_leave(*place);
    else if (info)
        *place = connections_enter(info->connect_fd);
}

/* No path of ours has an escape in it; undone, a %00 would hide what follows. */
static size_t keep_escapes(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

static bool idle(struct MHD_Daemon *daemon)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return info && info->num_connections == 0;
}

static int shorter(int wait, int other)
{
    return other >= 0 && other < wait ? other : wait;
}

/* The parent never speaks first: anything from it between two questions is its end. */
static void serve(struct MHD_Daemon *daemon)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct pollfd fds[] = {{.fd = info->epoll_fd, .events = POLLIN},
                           {.fd = CONTROL_FD, .events = POLLIN}};
    while (!ask_parent_gone()) {
        MHD_UNSIGNED_LONG_LONG until = IDLE_MS;
        bool timed = MHD_get_timeout(daemon, &until) == MHD_YES && until < IDLE_MS;
        int full = connections_make_room();
        int waiting = waits_poll();
        int n = poll(fds, 2, shorter(shorter(timed ? (int)until : IDLE_MS, full), waiting));
        if (n < 0 && errno != EINTR)
            return;
        if (fds[1].revents || (n == 0 && !timed && waiting < 0 && idle(daemon)))
            break;
        (void)MHD_run(daemon);
        if (full >= 0)
            (void)MHD_run(daemon); /* the first ended some, this one lets others in */
    }
    /* Nobody may be suspended at the daemon's end: who waits is told, by a parent that is gone. */
    if (waits_poll() >= 0)
        (void)MHD_run(daemon);
}

/* libmicrohttpd aborts on a socket that is none. */
static bool has_sockets(void)
{
    int listens = 0, type = 0;
    socklen_t len = sizeof listens;
    return getsockopt(CONTROL_LISTEN_FD, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 &&
           listens && getsockopt(CONTROL_FD, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
           type == SOCK_SEQPACKET;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    cli_begin("[rootlesskit:api   ]", CONTROL_FD + 1);
    if (argc > 1 && parse_u32("uid", argv[1], 0, UINT32_MAX - 1, &command_root, &err) < 0)
        return cli_fail(&err, CLI_FAILED);
    if (!has_sockets()) {
        cli_error("it is started by rootlesskit, with its sockets, and not by hand");
        return CLI_FAILED;
    }
    (void)fdflag_cloexec(CONTROL_LISTEN_FD, 1);
    (void)fdflag_cloexec(CONTROL_FD, 1);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, NULL,
        MHD_OPTION_LISTEN_SOCKET, CONTROL_LISTEN_FD, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, NULL, MHD_OPTION_UNESCAPE_CALLBACK,
        keep_escapes, NULL, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, CONNECTION_TIMEOUT_S, MHD_OPTION_END);
    if (!daemon) {
        cli_error("cannot serve the API: libmicrohttpd does not start");
        return CLI_FAILED;
    }
    serve(daemon);
    MHD_stop_daemon(daemon);
    return CLI_OK;
}
