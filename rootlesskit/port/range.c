#include "rootlesskit/port/range.h"

#include <errno.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"

static int read_port(struct cursor *c, uint16_t *ret, struct err *err)
{
    uint64_t port = 0;
    if (!cursor_u64(c, 10, UINT16_MAX, &port) || port == 0)
        return err_set(err, EINVAL, "a port is a number from 1 to 65535");
    *ret = (uint16_t)port;
    return 0;
}

int port_range_read(struct cursor *c, struct port_range *ret, struct err *err)
{
    struct cursor ahead = *c;
    struct port_range range = {0};
    int r = read_port(&ahead, &range.first, err);
    range.last = range.first;
    if (r >= 0 && cursor_char(&ahead, '-'))
        r = read_port(&ahead, &range.last, err);
    if (r < 0)
        return r;
    if (range.last < range.first)
        return err_set(err, EINVAL, "the range of ports %u-%u ends before it begins", range.first,
                       range.last);
    *c = ahead;
    *ret = range;
    return 0;
}

bool port_range_has(const struct port_range *ranges, size_t n, uint16_t port)
{
    for (size_t i = 0; i < n; i++)
        if (port >= ranges[i].first && port <= ranges[i].last)
            return true;
    return false;
}
