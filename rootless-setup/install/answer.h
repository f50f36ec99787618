/*
 * Whether somebody answers at a UNIX socket, and what, where it speaks HTTP and JSON: engines with
 * Docker's API, and rootlesskit. Nothing waits longer than ANSWER_SECONDS.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct err;
struct json_t;

#define ANSWER_SECONDS 3

/** Connects. @param ret_pid  who listens, or 0; may be NULL @return fd or -errno */
int answer_connect(const char *path, pid_t *ret_pid);
/** GET @p target. @return the body as JSON, the caller's to release; NULL: no such answer */
struct json_t *answer_get(const char *path, const char *target);
