/* Whatever a $GETSUBIDS program prints: ranges that come out of it are ranges, as many as fit. */
#include "tests/fuzz/fuzz.h"

#include "rootlesskit/getsubids.h"

#define ROOM 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct subid_range ranges[ROOM];
    int n = getsubids_parse((const char *)data, size, ranges, ROOM, NULL);
    require(n <= ROOM);
    for (int i = 0; i < n; i++)
        require(ranges[i].count > 0 && ranges[i].count <= UINT32_MAX - ranges[i].start);
    return 0;
}
