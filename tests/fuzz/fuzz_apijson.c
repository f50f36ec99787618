/* The body of POST /v1/ports: whoever may connect to api.sock may send anything. */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <string.h>

#include "rootlesskit/api/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct port_spec spec;
    if (api_spec_from_text((const char *)data, size, &spec, NULL) == 0)
        assert(memchr(spec.proto, 0, sizeof spec.proto) &&
               memchr(spec.parent_ip, 0, sizeof spec.parent_ip) &&
               memchr(spec.child_ip, 0, sizeof spec.child_ip));
    return 0;
}
