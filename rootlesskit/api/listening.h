/* Which published ports somebody in the child listens for, as the API tells it. */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct services_record;

struct listening {
    struct services_record *records; /**< owned; sorted by port */
    size_t n;
};

/** Asks the parent; a driver that does not know leaves it empty. listening_free() is due. */
void listening_ask(struct listening *ret);
void listening_free(struct listening *listening);
/** Adds to the status of port @p id "listening", true, false, or null where it cannot be known, and
 *  "handedOver" where it is; nothing where nobody said anything. */
void listening_put(const struct listening *listening, uint32_t id, json_t *status);
