/*
 * Time for waiting: it never jumps.
 */
#pragma once

#include <stdint.h>

/** Milliseconds of CLOCK_MONOTONIC. */
int64_t clock_ms(void);
