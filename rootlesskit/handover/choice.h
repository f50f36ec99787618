/* Which published ports a service is to have that is about to listen. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "rootlesskit/handover/place.h"

struct handover;
struct notice;
struct original;

struct choice {
    uint32_t id[2]; /**< n of them: an IPv4 port and its IPv6 counterpart, or one */
    size_t n;
    struct place place;
};

/** A container that listens again and again would have the parent do nothing else. */
struct choice_patience {
    ino_t netns; /**< of the container to whose socket no port led last */
    unsigned failures;
    int64_t until_ms; /**< none is tried for it any more */
};

/** The caller listens for containers, whose ports lead elsewhere by rules or by what it copies:
 *  what it would get hold of would not come to them. */
bool choice_is_engine(const struct notice *notice);
/**
 * @param original  where it is nested and any port may lead to it, it is made to listen with
 *                  @p backlog, and the ports are dialled to see which do
 * @return false when none does
 */
bool choice_make(struct handover *handover, const struct original *original, int backlog,
                 struct choice *ret);
