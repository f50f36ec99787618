/* Ports and ranges of ports, as options and rules name them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cursor;
struct err;

struct port_range {
    uint16_t first, last; /**< host byte order, both within */
};

/** Takes PORT or FIRST-LAST. @return 0; -EINVAL with a message that says what a port is, the cursor
 *  where it was */
int port_range_read(struct cursor *c, struct port_range *ret, struct err *err);
/** One of @p n ranges has @p port. */
bool port_range_has(const struct port_range *ranges, size_t n, uint16_t port);
