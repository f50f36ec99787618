#include "rootlesskit/api/routes.h"

#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/err.h"
#include "lib/base/fd.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "rootlesskit/api/ask.h"
#include "rootlesskit/api/control.h"
#include "rootlesskit/api/json.h"
#include "rootlesskit/api/listening.h"
#include "rootlesskit/api/observe.h"
#include "rootlesskit/api/openapi.h"
#include "rootlesskit/api/waits.h"

#define API_VERSION "1.1.2"

/* A day: whoever wants to wait longer need not be told. */
#define DRAIN_MAX_S 86400

/* @param type  NULL: there is no body to have one
 * @param allow  the methods of a path, for the answer to another; or NULL */
static enum MHD_Result send_response(struct MHD_Connection *connection, unsigned status,
                                     const char *type, const char *allow,
                                     struct MHD_Response *take_response)
{
    if (!take_response)
        return MHD_NO;
    if (type)
        (void)MHD_add_response_header(take_response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (allow)
        (void)MHD_add_response_header(take_response, MHD_HTTP_HEADER_ALLOW, allow);
    enum MHD_Result r = MHD_queue_response(connection, status, take_response);
    MHD_destroy_response(take_response);
    return r;
}

static struct MHD_Response *constant(const char *text)
{
    /* MHD only reads it: the parameter lacks a const. */
    return MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text,
                                           MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result send_text(struct MHD_Connection *connection, unsigned status,
                                 const char *type, char *take_text)
{
    if (!take_text)
        return MHD_NO;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(take_text), take_text, MHD_RESPMEM_MUST_FREE);
    if (!response)
        free(take_text);
    return send_response(connection, status, type, NULL, response);
}

static enum MHD_Result send_json(struct MHD_Connection *connection, unsigned status,
                                 json_t *take_json)
{
    char *text = json_dumps(take_json, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(take_json);
    return send_text(connection, status, "application/json", text);
}

/* 400 whatever it was, as RootlessKit's clients know it; only a parent that ends is our fault. */
static enum MHD_Result send_error(struct MHD_Connection *connection, const struct err *err)
{
    unsigned status = ask_parent_gone() ? MHD_HTTP_INTERNAL_SERVER_ERROR : MHD_HTTP_BAD_REQUEST;
    return send_json(connection, status, json_pack("{s:o}", "message", api_text_to_json(err->msg)));
}

static void put_flag(json_t *json, const char *key, bool value)
{
    if (value)
        (void)json_object_set_new(json, key, json_true());
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
    put_flag(json, "dynamicChildIP", info->dynamic_child_ip);
    put_flag(json, "ipv6", info->ipv6);
    return json;
}

static json_t *port_driver_to_json(const struct control_info *info)
{
    json_t *protos = json_array();
    for (size_t i = 0; i < sizeof info->protos / sizeof info->protos[0] && info->protos[i][0]; i++)
        (void)json_array_append_new(protos, json_string(info->protos[i]));
    json_t *json = json_pack("{s:s, s:o}", "driver", info->port_driver, "protos", protos);
    put_flag(json, "disallowLoopbackChildIP", info->disallow_loopback_child_ip);
    if (info->source_ip_backend[0])
        (void)json_object_set_new(
            json, "extra",
            json_pack("{s:s}", "sourceIPTransparentBackend", info->source_ip_backend));
    return json;
}

static enum MHD_Result get_info(struct MHD_Connection *connection, const char *id,
                                const struct body *body)
{
    (void)id;
    (void)body;
    struct err err = {0};
    struct control_request request = {.op = CONTROL_INFO};
    struct control_reply reply;
    if (ask(&request, &reply, &err) < 0)
        return send_error(connection, &err);
    json_t *json = json_pack("{s:s, s:s, s:o, s:i}", "apiVersion", API_VERSION, "version",
                             ROOTLESS_VERSION, "stateDir", api_text_to_json(reply.info.state_dir),
                             "childPID", reply.info.child_pid);
    if (reply.info.network_driver[0])
        (void)json_object_set_new(json, "networkDriver", network_to_json(&reply.info));
    if (reply.info.port_driver[0])
        (void)json_object_set_new(json, "portDriver", port_driver_to_json(&reply.info));
    return send_json(connection, MHD_HTTP_OK, json);
}

static enum MHD_Result get_openapi(struct MHD_Connection *connection, const char *id,
                                   const struct body *body)
{
    (void)id;
    (void)body;
    return send_response(connection, MHD_HTTP_OK, "application/yaml", NULL,
                         constant(openapi_document));
}

/* @return the list, whose end is known by -ENOENT, or NULL with the reason */
static json_t *list_ports(struct err *err)
{
    struct control_request request = {.op = CONTROL_LIST};
    struct control_reply reply;
    struct listening listening;
    json_t *list = json_array();
    int r;
    listening_ask(&listening);
    while ((r = ask(&request, &reply, err)) >= 0) {
        json_t *status = api_status_to_json(reply.id, &reply.spec);
        listening_put(&listening, reply.id, status);
        (void)json_array_append_new(list, status);
        request.id = reply.id + 1;
    }
    listening_free(&listening);
    if (r == -ENOENT)
        return list;
    json_decref(list);
    return NULL;
}

/* An empty list is null, as RootlessKit's clients know it. */
static enum MHD_Result get_ports(struct MHD_Connection *connection, const char *id,
                                 const struct body *body)
{
    (void)id;
    (void)body;
    struct err err = {0};
    json_t *list = list_ports(&err);
    if (!list)
        return send_error(connection, &err);
    if (json_array_size(list) == 0) {
        json_decref(list);
        list = json_null();
    }
    return send_json(connection, MHD_HTTP_OK, list);
}

static enum MHD_Result post_port(struct MHD_Connection *connection, const char *id,
                                 const struct body *body)
{
    (void)id;
    struct err err = {0};
    struct control_request request = {.op = CONTROL_ADD};
    struct control_reply reply;
    int r = body->discarded
                ? err_set(&err, EFBIG, "the body is longer than %d bytes", API_BODY_MAX)
                : api_spec_from_text(body->text ? body->text : "", body->len, &request.spec, &err);
    if (r >= 0)
        r = ask(&request, &reply, &err);
    if (r < 0)
        return send_error(connection, &err);
    return send_json(connection, MHD_HTTP_CREATED, api_status_to_json(reply.id, &reply.spec));
}

/* @param ret  0: it is not there */
static int parse_drain(struct MHD_Connection *connection, uint32_t *ret, struct err *err)
{
    const char *text = NULL;
    size_t len;
    *ret = 0;
    if (MHD_lookup_connection_value_n(connection, MHD_GET_ARGUMENT_KIND, "drain", 5, &text, &len) !=
        MHD_YES)
        return 0;
    return parse_u32("bad drain", text ? text : "", 0, DRAIN_MAX_S, ret, err);
}

/* @return 0; 1 when the answer must wait; -errno */
static int remove_port(struct MHD_Connection *connection, const char *id, struct err *err)
{
    struct control_request request = {.op = CONTROL_REMOVE};
    struct control_reply reply;
    int r = parse_u32("bad id", id, 0, UINT32_MAX, &request.id, err);
    if (r >= 0)
        r = parse_drain(connection, &request.drain_s, err);
    if (r >= 0 && request.drain_s > 0)
        request.op = CONTROL_DRAIN;
    if (r >= 0 && request.op == CONTROL_DRAIN && waits_full())
        r = err_set(err, ENOBUFS, "too many clients wait for ports: try again later");
    if (r >= 0)
        r = ask(&request, &reply, err);
    if (r < 0 || request.op == CONTROL_REMOVE)
        return r;
    waits_begin(connection, request.id);
    return 1;
}

/* Called a second time for a client who had to wait. */
static enum MHD_Result delete_port(struct MHD_Connection *connection, const char *id,
                                   const struct body *body)
{
    (void)body;
    struct err err = {0};
    int r = waits_end(connection, &err);
    if (r == -EINPROGRESS)
        return MHD_YES;
    if (r == -ENODATA)
        r = remove_port(connection, id, &err);
    if (r > 0)
        return MHD_YES;
    if (r < 0)
        return send_error(connection, &err);
    return send_response(connection, MHD_HTTP_OK, NULL, NULL, constant(""));
}

/* Asks for what comes in a memory file. @return the file, or -errno */
static int ask_for_file(enum control_op op, struct control_reply *reply, struct err *err)
{
    struct control_request request = {.op = op};
    cleanup_close int fd = memfd_create("rootlesskit-stats", MFD_CLOEXEC);
    if (fd < 0)
        return err_sys(err, errno, "cannot make a memory file");
    int r = ask_beside(&request, fd, reply, err);
    return r < 0 ? r : take_fd(&fd);
}

/* @return what the memory file has, or NULL when it is empty; *ret_len its bytes */
static void *map_file(int fd, size_t *ret_len)
{
    struct stat st;
    *ret_len = fstat(fd, &st) == 0 ? (size_t)st.st_size : 0;
    void *data = *ret_len > 0 ? mmap(NULL, *ret_len, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    if (data != MAP_FAILED)
        return data;
    *ret_len = 0;
    return NULL;
}

static enum MHD_Result get_flows(struct MHD_Connection *connection, const char *id,
                                 const struct body *body)
{
    (void)id;
    (void)body;
    struct err err = {0};
    struct control_reply reply;
    char *text = NULL;
    size_t len = 0, text_len;
    cleanup_close int fd = ask_for_file(CONTROL_FLOWS, &reply, &err);
    if (fd < 0)
        return send_error(connection, &err);
    void *records = map_file(fd, &len);
    FILE *out = open_memstream(&text, &text_len);
    if (out) {
        observe_write_flows(out, records, len / sizeof(struct stats_record));
        if (fclose(out) != 0) {
            free(text);
            text = NULL;
        }
    }
    if (records)
        (void)munmap(records, len);
    return send_text(connection, MHD_HTTP_OK, "application/json", text);
}

static enum MHD_Result get_metrics(struct MHD_Connection *connection, const char *id,
                                   const struct body *body)
{
    (void)id;
    (void)body;
    struct err err = {0};
    struct control_reply reply;
    struct stats_totals totals = {0};
    char *text = NULL;
    size_t text_len;
    cleanup_close int fd = ask_for_file(CONTROL_TOTALS, &reply, &err);
    if (fd < 0)
        return send_error(connection, &err);
    (void)!pread(fd, &totals, sizeof totals, 0);
    FILE *out = open_memstream(&text, &text_len);
    if (out) {
        observe_write_metrics(out, &totals, reply.n_ports, reply.resident);
        if (fclose(out) != 0) {
            free(text);
            text = NULL;
        }
    }
    return send_text(connection, MHD_HTTP_OK, OBSERVE_METRICS_TYPE, text);
}

/* A path that ends in a slash is followed by one id. */
static const struct route {
    const char *path;
    const char *method;
    enum MHD_Result (*answer)(struct MHD_Connection *connection, const char *id,
                              const struct body *body);
} routes[] = {
    {"/v1/flows", MHD_HTTP_METHOD_GET, get_flows},
    {"/v1/info", MHD_HTTP_METHOD_GET, get_info},
    {"/v1/metrics", MHD_HTTP_METHOD_GET, get_metrics},
    {"/v1/openapi.yaml", MHD_HTTP_METHOD_GET, get_openapi},
    {"/v1/ports", MHD_HTTP_METHOD_GET, get_ports},
    {"/v1/ports", MHD_HTTP_METHOD_POST, post_port},
    {"/v1/ports/", MHD_HTTP_METHOD_DELETE, delete_port},
};

/* @return the id, "" where the path has none, or NULL: another path */
static const char *match(const struct route *route, const char *url)
{
    const char *rest = str_after(url, route->path);
    bool wants_id = route->path[strlen(route->path) - 1] == '/';
    return rest && !strchr(rest, '/') && wants_id == (rest[0] != '\0') ? rest : NULL;
}

enum MHD_Result routes_answer(struct MHD_Connection *connection, const char *url,
                              const char *method, const struct body *body)
{
    char allow[64] = "";
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        const char *id = match(&routes[i], url);
        size_t len = strlen(allow);
        if (id && str_equal(method, routes[i].method))
            return routes[i].answer(connection, id, body);
        if (id)
            (void)str_format(allow + len, sizeof allow - len, "%s%s", len ? ", " : "",
                             routes[i].method);
    }
    if (allow[0])
        return send_response(connection, MHD_HTTP_METHOD_NOT_ALLOWED, NULL, allow, constant(""));
    return send_response(connection, MHD_HTTP_NOT_FOUND, "text/plain; charset=utf-8", NULL,
                         constant("404 page not found\n"));
}
