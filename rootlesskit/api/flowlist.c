#include "rootlesskit/api/flowlist.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"
#include "rootlesskit/api/client.h"

/* Nothing that a terminal would act on, whoever answers. */
static bool is_plain(const char *text)
{
    for (; *text; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

static bool take_text(const json_t *json, const char *key, char *ret, size_t size)
{
    const char *text = json_string_value(json_object_get(json, key));
    return str_copy(ret, size, text ? text : "") == 0 && is_plain(ret);
}

static uint64_t number_of(const json_t *json, const char *key)
{
    json_int_t number = json_integer_value(json_object_get(json, key));
    return number > 0 ? (uint64_t)number : 0;
}

static bool take_address(const json_t *json, const char *ip_key, const char *port_key,
                         char ret[FLOWLIST_ADDRESS_MAX])
{
    char ip[FLOWLIST_ADDRESS_MAX];
    unsigned port = (unsigned)number_of(json, port_key);
    ret[0] = '\0';
    if (!take_text(json, ip_key, ip, sizeof ip))
        return false;
    if (!ip[0])
        return true;
    if (port == 0)
        return str_copy(ret, FLOWLIST_ADDRESS_MAX, ip) == 0;
    return str_format(ret, FLOWLIST_ADDRESS_MAX, strchr(ip, ':') ? "[%s]:%u" : "%s:%u", ip, port) >
           0;
}

static bool take_flow(const json_t *json, struct flowlist_flow *ret)
{
    ret->port_id = (uint32_t)number_of(json, "portID");
    ret->sent = number_of(json, "sentBytes");
    ret->received = number_of(json, "receivedBytes");
    ret->age_s = (uint32_t)number_of(json, "ageSeconds");
    ret->idle_s = (uint32_t)number_of(json, "idleSeconds");
    return take_text(json, "proto", ret->proto, sizeof ret->proto) &&
           take_text(json, "direction", ret->direction, sizeof ret->direction) &&
           take_text(json, "state", ret->state, sizeof ret->state) &&
           take_address(json, "childIP", "childPort", ret->child) &&
           take_address(json, "remoteIP", "remotePort", ret->remote) &&
           take_address(json, "dialledIP", "dialledPort", ret->dialled);
}

int flowlist_compare(const void *a, const void *b)
{
    const struct flowlist_flow *x = a, *y = b;
    int r = strcmp(x->direction, y->direction);
    if (r == 0)
        r = strcmp(x->proto, y->proto);
    if (r == 0)
        r = strcmp(x->child, y->child);
    if (r == 0)
        r = strcmp(x->remote, y->remote);
    return r != 0 ? r : (x->port_id > y->port_id) - (x->port_id < y->port_id);
}

static int fill(const json_t *json, struct flowlist *ret, struct err *err)
{
    size_t n = json_array_size(json);
    *ret = (struct flowlist){.flows = calloc(n + 1, sizeof *ret->flows), .n = n};
    if (!ret->flows)
        return err_set(err, ENOMEM, "no memory for %zu flows", n);
    for (size_t i = 0; i < n; i++)
        if (!take_flow(json_array_get(json, i), &ret->flows[i]))
            return err_set(err, EPROTO, "the API answered with a flow that cannot be");
    qsort(ret->flows, n, sizeof *ret->flows, flowlist_compare);
    return 0;
}

int flowlist_get(const char *socket_path, struct flowlist *ret, json_t **ret_json, struct err *err)
{
    json_t *json = NULL;
    *ret = (struct flowlist){0};
    int r = client_request(socket_path, "GET", "/v1/flows", NULL, &json, err);
    if (r >= 0)
        r = fill(json, ret, err);
    if (r < 0)
        flowlist_free(ret);
    if (r >= 0 && ret_json)
        *ret_json = json;
    else
        json_decref(json);
    return r;
}

void flowlist_free(struct flowlist *list)
{
    free(list->flows);
    *list = (struct flowlist){0};
}

const char *flowlist_size(uint64_t bytes, char buf[8])
{
    static const char units[] = "BkMGTPE";
    uint64_t tenths = bytes * 10;
    size_t unit = 0;
    if (bytes > UINT64_MAX / 10) {
        tenths = bytes / 100;
        unit = 1;
    }
    for (; tenths >= 10000; unit++)
        tenths /= 1000;
    if (unit > 0 && tenths < 100)
        (void)str_format(buf, 8, "%u.%u%c", (unsigned)(tenths / 10), (unsigned)(tenths % 10),
                         units[unit]);
    else
        (void)str_format(buf, 8, "%u%c", (unsigned)(tenths / 10), units[unit]);
    return buf;
}

const char *flowlist_time(uint32_t seconds, char buf[8])
{
    if (seconds < 60)
        (void)str_format(buf, 8, "%us", seconds);
    else if (seconds < 3600)
        (void)str_format(buf, 8, "%um", seconds / 60);
    else if (seconds < 86400)
        (void)str_format(buf, 8, "%uh", seconds / 3600);
    else
        (void)str_format(buf, 8, "%ud", seconds / 86400);
    return buf;
}
