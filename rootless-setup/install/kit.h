/*
 * The rootlesskit that an engine runs in, found by its state directory.
 */
#pragma once

#include <sys/types.h>

struct err;

/** @return pid of the rootlesskit that holds @p state, or 0: it is not there or nobody holds it */
pid_t kit_find(const char *state);
/** Ends it and waits until it is gone. @return 0, or -errno (-ETIMEDOUT) */
int kit_end(pid_t pid, struct err *err);
