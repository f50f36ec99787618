/* Which published ports a service is to have that is about to listen. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rootlesskit/handover/place.h"

struct handover;
struct notice;
struct original;

struct choice {
    uint32_t id[2]; /**< n of them: an IPv4 port and its IPv6 counterpart, or one */
    size_t n;
    struct place place;
};

/** The caller listens for containers, whose ports lead elsewhere by rules or by what it copies:
 *  what it would get hold of would not come to them. */
bool choice_is_engine(const struct notice *notice);
/**
 * @param original  listens already when it is nested: the ports are dialled to see whether they
 *                  lead to it
 * @return false when none does
 */
bool choice_make(const struct handover *handover, const struct original *original,
                 struct choice *ret);
