/*
 * A message to uidmapd of any content: what is taken over keeps every promise that the command
 * line's reading makes, and goes through a second time unchanged. Shorter input is filled up.
 */
#include "tests/fuzz/extents.h"

#include <stdlib.h>
#include <string.h>

#include "uidmapd/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct uidmapd_request message, again;
    static struct idmap_request request, second;
    struct err err = {0};
    memset(&message, 0, sizeof message);
    memcpy(&message, data, size < sizeof message ? size : sizeof message);
    int r = uidmapd_request_read(&message, 5, &request, &err);
    require((r < 0) == (err.code > 0) && (r < 0) == (err.msg[0] != '\0'));
    if (r < 0)
        return 0;
    require(request.target.fd == 5 && request.target.pid == -1);
    require_extents(&request.extents);
    uidmapd_request_make(&request, &again);
    require(uidmapd_request_read(&again, 5, &second, NULL) == 0);
    require(second.kind == request.kind && second.extents.n == request.extents.n);
    require(memcmp(second.extents.list, request.extents.list,
                   request.extents.n * sizeof request.extents.list[0]) == 0);
    return 0;
}
