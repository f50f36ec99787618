/*
 * What each check is about: its section of docs/checks.md as plain text, put in at build time.
 */
#pragma once

#include <stddef.h>

struct explain_about {
    const char *check;
    const char *text; /**< lines of at most 80 characters */
};

extern const struct explain_about explain_abouts[];
extern const size_t explain_abouts_count;
