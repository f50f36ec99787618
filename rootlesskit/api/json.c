#include "rootlesskit/api/json.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/base/str.h"

json_t *api_text_to_json(const char *text)
{
    char ascii[PATH_MAX];
    json_t *json = json_string(text);
    if (json)
        return json;
    (void)snprintf(ascii, sizeof ascii, "%s", text);
    for (char *p = ascii; *p; p++)
        if ((unsigned char)*p > 127)
            *p = '?';
    return json_string(ascii);
}

static void put_text(json_t *json, const char *key, const char *value)
{
    if (value[0])
        (void)json_object_set_new(json, key, api_text_to_json(value));
}

json_t *api_spec_to_json(const struct port_spec *spec)
{
    json_t *json = json_object();
    put_text(json, "proto", spec->proto);
    put_text(json, "parentIP", spec->parent_ip);
    (void)json_object_set_new(json, "parentPort", json_integer(spec->parent_port));
    (void)json_object_set_new(json, "childPort", json_integer(spec->child_port));
    put_text(json, "childIP", spec->child_ip);
    return json;
}

static int take_text(const json_t *json, const char *key, char *ret, size_t size, struct err *err)
{
    const json_t *value = json_object_get(json, key);
    ret[0] = '\0';
    if (!value || json_is_null(value))
        return 0;
    if (!json_is_string(value) || str_copy(ret, size, json_string_value(value)) < 0)
        return err_set(err, EINVAL, "%s must be a string of at most %zu characters", key, size - 1);
    if (json_string_length(value) != strlen(ret))
        return err_set(err, EINVAL, "%s must not have a NUL character in it", key);
    return 0;
}

static int take_port(const json_t *json, const char *key, uint16_t *ret, struct err *err)
{
    const json_t *value = json_object_get(json, key);
    *ret = 0;
    if (!value || json_is_null(value))
        return 0;
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < 0 || number > UINT16_MAX)
        return err_set(err, EINVAL, "%s must be a port number up to 65535", key);
    *ret = (uint16_t)number;
    return 0;
}

int api_spec_from_json(const json_t *json, struct port_spec *ret, struct err *err)
{
    if (!json_is_object(json))
        return err_set(err, EINVAL, "a port spec must be a JSON object");
    /* 0 asks for any port; whoever left it out may have meant another. */
    if (!json_is_integer(json_object_get(json, "parentPort")))
        return err_set(err, EINVAL, "parentPort must be a port number; 0 takes one that is free");
    int r = take_text(json, "proto", ret->proto, sizeof ret->proto, err);
    if (r >= 0)
        r = take_text(json, "parentIP", ret->parent_ip, sizeof ret->parent_ip, err);
    if (r >= 0)
        r = take_port(json, "parentPort", &ret->parent_port, err);
    if (r >= 0)
        r = take_port(json, "childPort", &ret->child_port, err);
    if (r >= 0)
        r = take_text(json, "childIP", ret->child_ip, sizeof ret->child_ip, err);
    return r;
}

int api_spec_from_text(const char *text, size_t len, struct port_spec *ret, struct err *err)
{
    json_error_t where;
    json_t *json =
        json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &where);
    if (!json)
        return err_set(err, EINVAL, "cannot read the body as JSON: %s", where.text);
    int r = api_spec_from_json(json, ret, err);
    json_decref(json);
    return r;
}

json_t *api_status_to_json(uint32_t id, const struct port_spec *spec)
{
    json_t *json = json_object();
    (void)json_object_set_new(json, "id", json_integer(id));
    (void)json_object_set_new(json, "spec", api_spec_to_json(spec));
    return json;
}

int api_status_from_json(const json_t *json, uint32_t *ret_id, struct port_spec *ret,
                         struct err *err)
{
    const json_t *id = json_object_get(json, "id");
    if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > UINT32_MAX)
        return err_set(err, EPROTO, "the API answered without a port id");
    *ret_id = (uint32_t)json_integer_value(id);
    return api_spec_from_json(json_object_get(json, "spec"), ret, err);
}
