/* Whatever is pasted: it is plain text afterwards, and what is found lies within it. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "rootless-setup/explain/match.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct explain_found found[EXPLAIN_FOUND_MAX];
    char *text = malloc(size + 1);
    require(text);
    memcpy(text, data, size);
    text[size] = '\0';
    size_t len = explain_normalize(text, size);
    require(len <= size && strlen(text) == len);
    for (size_t i = 0; i < len; i++)
        require((text[i] >= ' ' || text[i] == '\n') && text[i] < 127);
    size_t n = explain_match(text, len, found);
    require(n <= EXPLAIN_FOUND_MAX);
    for (size_t i = 0; i < n; i++) {
        require(found[i].start < found[i].end && found[i].end <= len);
        require(strlen(found[i].shown) < EXPLAIN_SHOWN_MAX);
        for (size_t k = 0; k < i; k++)
            require(found[k].row != found[i].row);
    }
    free(text);
    return 0;
}
