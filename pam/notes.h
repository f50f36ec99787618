/*
 * What there is to log, gathered where it happens and logged where the PAM handle is.
 */
#pragma once

#include <stddef.h>

#include "lib/base/err.h"

#define NOTES_MAX 16

struct note {
    int priority; /**< of syslog(3) */
    char text[ERR_MSG_MAX];
};

/** Whole in itself, so that it may lie in memory that two processes share. */
struct notes {
    size_t n; /**< counts what is complete: the writer may be killed at any moment */
    struct note items[NOTES_MAX];
};

/** Adds a line; those beyond NOTES_MAX are lost. Control characters become '?'. */
void notes_add(struct notes *notes, int priority, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
