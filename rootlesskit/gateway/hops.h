/* Hop limits of what the gateway, a router to the child, passes on. */
#pragma once

#include <stdint.h>

/** @return the hop limit for the host's packet, 0: its default, for a child's that came with
 *  @p hops. Within some hops of the usual 64 nobody counts: those of the child's own routers are
 *  given back, and all of them can be sent as one. */
uint8_t hops_onward(uint8_t hops);
