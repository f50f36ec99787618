/* What a child may send into tun0: any bytes at all. */
#include "tests/fuzz/fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "rootlesskit/gateway/icmp.h"
#include "rootlesskit/gateway/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t answer[PACKET_RESET_MAX];
    /* A copy of the exact size, so that one byte too many is seen. */
    uint8_t *copy = malloc(size ? size : 1);
    assert(copy);
    memcpy(copy, data, size);
    struct packet packet = packet_parse(copy, size);
    (void)packet_is_datagram(copy, size);
    if (packet.kind == PACKET_SYN) {
        size_t said = copy[0] >> 4 == 4 ? (size_t)(copy[2] << 8 | copy[3])
                                        : 40 + (size_t)(copy[4] << 8 | copy[5]);
        assert(size <= PACKET_SYN_MAX || size > said);
        assert(packet_make_reset(&packet, answer) <= sizeof answer);
    }
    struct icmp_quote quote = icmp_quote_of(copy, size);
    assert(quote.len <= sizeof quote.data && quote.len <= size);
    free(copy);
    return 0;
}
