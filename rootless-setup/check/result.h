/*
 * What one probe found: a status, the evidence, the cause and the remedies.
 *
 * A value of fixed size without pointers, because probes fill it in shared memory from a throw-away
 * process, which is the user's and not to be trusted by root. Text that does not fit is cut.
 * Nothing here prints.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum check_status {
    CHECK_UNFINISHED = 0, /**< the probe has not answered (yet, or ever) */
    CHECK_OK,
    CHECK_HINT,    /**< works; something optional is off */
    CHECK_WARNING, /**< an engine starts, but with a loss worth knowing */
    CHECK_FAILED,  /**< a rootless engine cannot do its job */
    CHECK_SKIPPED, /**< not tried, since a probe it needs did not pass */
};

/** Who runs a remedy. */
enum check_remedy {
    REMEDY_ROOT, /**< commands for root */
    REMEDY_USER, /**< commands for the user's own shell */
    REMEDY_NOTE, /**< advice that is no command */
    REMEDY_KINDS,
};

struct check_result {
    enum check_status status;
    bool fixable;                    /**< `rootless-setup fix` does what the remedy for root says */
    int error;                       /**< errno of the step that decided, or 0 */
    char evidence[512];              /**< one line: what was done and what came of it */
    char cause[1024];                /**< one line: why, or "" */
    char remedy[REMEDY_KINDS][1536]; /**< lines, each ended by a newline */
};

/** "ok", "hint", "warning", "failed", "skipped". */
const char *check_status_name(enum check_status status);

/** Copies what a probe's process left in memory that it shares with us, and makes it a value that
 *  may be printed: texts end, no control characters, a status that there is. */
void check_take(struct check_result *ret, const struct check_result *shared);
/** Sets status and evidence; a later call replaces both. */
void check_say(struct check_result *result, enum check_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/** As check_say() for a failed step: ": TEXT (ERRNO)" is put behind and @p code is recorded. */
void check_say_errno(struct check_result *result, enum check_status status, int code,
                     const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/** Adds a cause; several are joined by "; ". */
void check_cause(struct check_result *result, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/** Adds one or more lines to a remedy, without the last newline. */
void check_remedy(struct check_result *result, enum check_remedy kind, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/** A bad status that does not lower a worse one already set: keeps the higher of the two. */
enum check_status check_worse(enum check_status a, enum check_status b);
