/*
 * rootlesskit-api: the REST API over api.sock (docs/openapi.yaml). It knows nothing by itself:
 * every request becomes one question to the parent (control.h). Started by the parent when somebody
 * connects; ends when nobody has been connected for a while, or with the parent.
 */
#include <errno.h>
#include <jansson.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fdflag.h"
#include "lib/base/msg.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "rootlesskit/api/control.h"
#include "rootlesskit/api/json.h"

#define API_VERSION "1.1.1"
#define IDLE_MS 10000
#define CONNECTIONS_MAX 128
#define CONNECTION_TIMEOUT_S 30

/* What is read of a body that is too long, so that its sender gets to see the answer. */
#define DISCARD_MAX (1024 * 1024)

/* A request while its body arrives. */
struct body {
    char *text;
    size_t len;
    size_t discarded; /* bytes; 0 = all of it was kept */
};

static bool parent_gone;

/* One question, one answer. @return the parent's code: 0 or -errno with its message in @p err */
static int ask(const struct control_request *request, struct control_reply *reply, struct err *err)
{
    int r = msg_send(CONTROL_FD, request, sizeof *request, NULL, 0);
    if (r >= 0)
        r = msg_recv(CONTROL_FD, reply, sizeof *reply, NULL, NULL);
    if (r <= 0) {
        parent_gone = true;
        return err_set(err, EPIPE, "rootlesskit is ending");
    }
    reply->message[sizeof reply->message - 1] = '\0';
    return reply->code < 0 ? err_set(err, -reply->code, "%s", reply->message) : 0;
}

static enum MHD_Result send_text(struct MHD_Connection *connection, unsigned status,
                                 const char *type, char *take_text)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(take_text), take_text, MHD_RESPMEM_MUST_FREE);
    if (!response) {
        free(take_text);
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    enum MHD_Result r = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return r;
}

static enum MHD_Result send_json(struct MHD_Connection *connection, unsigned status,
                                 json_t *take_json)
{
    char *text = json_dumps(take_json, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(take_json);
    return text ? send_text(connection, status, "application/json", text) : MHD_NO;
}

static enum MHD_Result send_error(struct MHD_Connection *connection, unsigned status,
                                  const char *message)
{
    return send_json(connection, status, json_pack("{s:o}", "message", api_text_to_json(message)));
}

static enum MHD_Result send_plain(struct MHD_Connection *connection, unsigned status,
                                  const char *text)
{
    char *copy = strdup(text);
    return copy ? send_text(connection, status, "text/plain; charset=utf-8", copy) : MHD_NO;
}

static json_t *network_to_json(const struct control_info *info)
{
    json_t *json = json_pack("{s:s}", "driver", info->network_driver);
    json_t *dns = json_array();
    for (int i = 0; i < CONTROL_DNS_MAX && info->dns[i][0]; i++)
        (void)json_array_append_new(dns, json_string(info->dns[i]));
    if (json_array_size(dns) > 0)
        (void)json_object_set(json, "dns", dns);
    json_decref(dns);
    if (info->child_ip[0])
        (void)json_object_set_new(json, "childIP", json_string(info->child_ip));
    return json;
}

static json_t *port_driver_to_json(const struct control_info *info)
{
    json_t *protos = json_array();
    for (size_t i = 0; i < sizeof info->protos / sizeof info->protos[0] && info->protos[i][0]; i++)
        (void)json_array_append_new(protos, json_string(info->protos[i]));
    json_t *json = json_pack("{s:s, s:o}", "driver", info->port_driver, "protos", protos);
    if (info->disallow_loopback_child_ip)
        (void)json_object_set_new(json, "disallowLoopbackChildIP", json_true());
    return json;
}

static enum MHD_Result get_info(struct MHD_Connection *connection)
{
    struct err err = {0};
    struct control_request request = {.op = CONTROL_INFO};
    struct control_reply reply;
    if (ask(&request, &reply, &err) < 0)
        return send_error(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, err.msg);
    json_t *json = json_pack("{s:s, s:s, s:o, s:i}", "apiVersion", API_VERSION, "version",
                             ROOTLESS_VERSION, "stateDir", api_text_to_json(reply.info.state_dir),
                             "childPID", reply.info.child_pid);
    if (reply.info.network_driver[0])
        (void)json_object_set_new(json, "networkDriver", network_to_json(&reply.info));
    if (reply.info.port_driver[0])
        (void)json_object_set_new(json, "portDriver", port_driver_to_json(&reply.info));
    return send_json(connection, MHD_HTTP_OK, json);
}

/* An empty list is null, as RootlessKit's clients know it. */
static enum MHD_Result get_ports(struct MHD_Connection *connection)
{
    struct err err = {0};
    struct control_request request = {.op = CONTROL_LIST};
    struct control_reply reply;
    json_t *list = json_array();
    int r;
    while ((r = ask(&request, &reply, &err)) >= 0) {
        (void)json_array_append_new(list, api_status_to_json(reply.id, &reply.spec));
        request.id = reply.id + 1;
    }
    if (r != -ENOENT) {
        json_decref(list);
        return send_error(connection, MHD_HTTP_BAD_REQUEST, err.msg);
    }
    if (json_array_size(list) == 0) {
        json_decref(list);
        list = json_null();
    }
    return send_json(connection, MHD_HTTP_OK, list);
}

static enum MHD_Result post_port(struct MHD_Connection *connection, const struct body *body)
{
    struct err err = {0};
    struct control_request request = {.op = CONTROL_ADD};
    struct control_reply reply;
    int r = body->discarded
                ? err_set(&err, EFBIG, "the body is longer than %d bytes", API_BODY_MAX)
                : api_spec_from_text(body->text ? body->text : "", body->len, &request.spec, &err);
    if (r >= 0)
        r = ask(&request, &reply, &err);
    if (r < 0)
        return send_error(connection, MHD_HTTP_BAD_REQUEST, err.msg);
    return send_json(connection, MHD_HTTP_CREATED, api_status_to_json(reply.id, &reply.spec));
}

static enum MHD_Result delete_port(struct MHD_Connection *connection, const char *id)
{
    struct err err = {0};
    struct control_request request = {.op = CONTROL_REMOVE};
    struct control_reply reply;
    int r = parse_u32("bad id", id, 0, UINT32_MAX, &request.id, &err);
    if (r >= 0)
        r = ask(&request, &reply, &err);
    if (r < 0)
        return send_error(connection, MHD_HTTP_BAD_REQUEST, err.msg);
    return send_plain(connection, MHD_HTTP_OK, "");
}

static enum MHD_Result route(struct MHD_Connection *connection, const char *url, const char *method,
                             const struct body *body)
{
    bool get = str_equal(method, MHD_HTTP_METHOD_GET);
    const char *id = str_after(url, "/v1/ports/");
    if (id && (!id[0] || strchr(id, '/')))
        id = NULL; /* the path of no port */
    if (str_equal(url, "/v1/info") && get)
        return get_info(connection);
    if (str_equal(url, "/v1/ports") && get)
        return get_ports(connection);
    if (str_equal(url, "/v1/ports") && str_equal(method, MHD_HTTP_METHOD_POST))
        return post_port(connection, body);
    if (id && str_equal(method, MHD_HTTP_METHOD_DELETE))
        return delete_port(connection, id);
    if (str_equal(url, "/v1/info") || str_equal(url, "/v1/ports") || id)
        return send_plain(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "");
    return send_plain(connection, MHD_HTTP_NOT_FOUND, "404 page not found\n");
}

/* The socket's mode says the same; this holds even if somebody changes it. */
static bool peer_allowed(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct ucred peer;
    socklen_t len = sizeof peer;
    if (!info || getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return false;
    return peer.uid == geteuid() || peer.uid == 0;
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
    return route(connection, url, method, *state);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code)
{
    (void)context;
    (void)connection;
    (void)code;
    struct body *body = *state;
    if (body)
        free(body->text);
    free(body);
    *state = NULL;
}

static bool idle(struct MHD_Daemon *daemon)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    return info && info->num_connections == 0;
}

/* The parent never speaks first: anything from it between two questions is its end. */
static void serve(struct MHD_Daemon *daemon)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct pollfd fds[] = {{.fd = info->epoll_fd, .events = POLLIN},
                           {.fd = CONTROL_FD, .events = POLLIN}};
    while (!parent_gone) {
        MHD_UNSIGNED_LONG_LONG wait = IDLE_MS;
        bool timed = MHD_get_timeout(daemon, &wait) == MHD_YES && wait < IDLE_MS;
        int n = poll(fds, 2, timed ? (int)wait : IDLE_MS);
        if (n < 0 && errno != EINTR)
            return;
        if (fds[1].revents || (n == 0 && !timed && idle(daemon)))
            return;
        (void)MHD_run(daemon);
    }
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

int main(void)
{
    cli_begin("[rootlesskit:api   ]", CONTROL_FD + 1);
    if (!has_sockets()) {
        cli_error("it is started by rootlesskit, with its sockets, and not by hand");
        return CLI_FAILED;
    }
    (void)fdflag_cloexec(CONTROL_LISTEN_FD, 1);
    (void)fdflag_cloexec(CONTROL_FD, 1);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL, 0, NULL, NULL, on_request, NULL, MHD_OPTION_LISTEN_SOCKET, CONTROL_LISTEN_FD,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_CONNECTION_LIMIT,
        CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, CONNECTION_TIMEOUT_S, MHD_OPTION_END);
    if (!daemon) {
        cli_error("cannot serve the API: libmicrohttpd does not start");
        return CLI_FAILED;
    }
    serve(daemon);
    MHD_stop_daemon(daemon);
    return CLI_OK;
}
