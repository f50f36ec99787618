/* Who answers at a Unix socket where an engine's API should be. */
#pragma once

#include <sys/types.h>

/** Connects, and sends nothing. @param ret_uid  whose process listens there
 *  @return 0; -ENOENT, -ECONNREFUSED: nobody; -errno */
int endpoint_try(const char *path, uid_t *ret_uid);
