/* --publish and rootlessctl add-ports. */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "rootlesskit/port/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct port_spec spec;
    char *text = malloc(size + 1);
    assert(text);
    memcpy(text, data, size);
    text[size] = '\0';
    if (port_spec_parse(text, &spec, NULL) == 0)
        assert(spec.parent_port && spec.child_port && port_spec_check(&spec, NULL) == 0);
    free(text);
    return 0;
}
