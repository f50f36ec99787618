/* The body of POST /v1/ports: whoever may connect to api.sock may send anything. */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <string.h>

#include "rootlesskit/api/json.h"

/* What was taken reads back the same: a client is told of the port he asked for (jansson
 * takes only UTF-8). */
static void round_trip(const struct port_spec *spec)
{
    struct port_spec again;
    uint32_t id = 0;
    json_t *json = api_status_to_json(UINT32_MAX, spec);
    assert(json && api_status_from_json(json, &id, &again, NULL) == 0 && id == UINT32_MAX);
    assert(again.parent_port == spec->parent_port && again.child_port == spec->child_port);
    assert(strcmp(again.proto, spec->proto) == 0 && strcmp(again.parent_ip, spec->parent_ip) == 0 &&
           strcmp(again.child_ip, spec->child_ip) == 0);
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct port_spec spec;
    if (api_spec_from_text((const char *)data, size, &spec, NULL) < 0)
        return 0;
    assert(memchr(spec.proto, 0, sizeof spec.proto) &&
           memchr(spec.parent_ip, 0, sizeof spec.parent_ip) &&
           memchr(spec.child_ip, 0, sizeof spec.child_ip));
    round_trip(&spec);
    return 0;
}
