/*
 * What is done when a session opens and when it closes, in the helper (helper.h).
 *
 * Theory of operation: session.c.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "pam/export.h"
#include "pam/notes.h"
#include "pam/options.h"
#include "pam/state.h"
#include "pam/subject.h"

/** The order and the answer, in memory that helper and host share. */
struct session_job {
    struct options options;
    struct subject subject;
    struct state_process opener; /**< who opens it, or has opened it; pid 0: not known */
    bool managed; /**< a session manager has made what it makes before us in the PAM stack */

    uint32_t serial;       /**< of the session; 0: it is not counted */
    char origin[PATH_MAX]; /**< the opener's cgroup before; "": it was not moved */

    bool has_ids;         /**< the user has subordinate ids in the end */
    struct export export; /**< what the session's variables are to be */
    struct notes notes;
};

/** Both are helper_fn. @param arg  struct session_job */
void session_open(void *arg);
void session_close(void *arg);
