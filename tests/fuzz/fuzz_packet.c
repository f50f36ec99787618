/* What a child may send into tun0: any bytes at all. */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "rootlesskit/gateway/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t answer[PACKET_ANSWER_MAX];
    struct in_addr from = {.s_addr = 0x0202000a};
    /* A copy of the exact size, so that one byte too many is seen. */
    uint8_t *copy = malloc(size ? size : 1);
    assert(copy);
    memcpy(copy, data, size);
    struct packet packet = packet_parse(copy, size);
    if (packet.kind == PACKET_SYN) {
        assert(size <= PACKET_SYN_MAX || size > (size_t)(copy[2] << 8 | copy[3]));
        assert(packet_make_reset(&packet, answer) <= sizeof answer);
    }
    assert(packet_make_unreachable(copy, size, from, 1, answer) <= sizeof answer);
    free(copy);
    return 0;
}
