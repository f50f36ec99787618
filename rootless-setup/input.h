/*
 * A text that somebody pipes in or pastes: bounded, and of a long one the end, where errors stand.
 */
#pragma once

#include <stddef.h>

struct err;

#define INPUT_MAX (1 << 20)

/**
 * Reads @p fd to its end.
 * @param ret  at least the last INPUT_MAX / 2 bytes, NUL-terminated; the caller's to free
 * @return 0 or -errno
 */
int input_read(int fd, char **ret, size_t *ret_len, struct err *err);
