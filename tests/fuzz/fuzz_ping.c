/* What a child may send as an echo request: any bytes at all. The first tells the family. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "rootlesskit/gateway/ping.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ping ping = {0};
    if (size == 0)
        return 0;
    /* A copy of the exact size, so that one byte too many is seen. */
    size_t len = size - 1;
    unsigned char *copy = malloc(len ? len : 1);
    require(copy != NULL);
    memcpy(copy, data + 1, len);
    bool v4 = data[0] % 2 == 0;
    if (v4 ? ping_read_v4(copy, len, &ping) : ping_read_v6(copy, len, &ping)) {
        require(ping.len >= PING_HEADER && ping.message >= copy);
        require(ping.message + ping.len == copy + len);
        ping_make_reply(ping.message, v4, 7);
        require(ping.message[0] != (v4 ? 8 : 128) && ping.message[5] == 7);
    }
    free(copy);
    return 0;
}
