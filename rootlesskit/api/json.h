/* The API's objects as JSON, the same for the server and its clients: RootlessKit's v1 names. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "rootlesskit/port/spec.h"

struct err;

/** Longest body either side accepts. */
#define API_BODY_MAX (64 * 1024)

/** @p text as a JSON string; where it is no UTF-8 (a path, a client's bytes), '?' stands for each
 * byte beyond ASCII, so that an answer never fails for what it quotes. */
json_t *api_text_to_json(const char *text);
/** {"proto", "parentIP", "parentPort", "childPort", "childIP"}; empty addresses are left out. */
json_t *api_spec_to_json(const struct port_spec *spec);
/** Takes the fields it knows; a wrong type or a number no port can have is -EINVAL. */
int api_spec_from_json(const json_t *json, struct port_spec *ret, struct err *err);
/** The same from a request's body of @p len bytes. */
int api_spec_from_text(const char *text, size_t len, struct port_spec *ret, struct err *err);
/** {"id", "spec"} */
json_t *api_status_to_json(uint32_t id, const struct port_spec *spec);
int api_status_from_json(const json_t *json, uint32_t *ret_id, struct port_spec *ret,
                         struct err *err);
