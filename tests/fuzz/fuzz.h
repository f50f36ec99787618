/* The entry point libFuzzer and our replay main call; each fuzz_<parser>.c defines it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
