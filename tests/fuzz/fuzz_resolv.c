/* The host's resolv.conf: whatever stands in it, parsing it and making the child's stays in bounds.
 */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "rootlesskit/resolv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    char ours[4096];
    struct gateway_resolvers resolvers;
    assert(text);
    memcpy(text, data, size);
    text[size] = '\0';
    resolv_parse(text, &resolvers);
    assert(resolvers.n <= GATEWAY_RESOLVERS_MAX);
    int n =
        resolv_for_child(text, &(const char[INET6_ADDRSTRLEN]){"0.0.0.0"}, 1, ours, sizeof ours);
    assert(n < 0 || strlen(ours) == (size_t)n);
    free(text);
    return 0;
}
