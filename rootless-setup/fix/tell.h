/*
 * What fix and undo did, or would do: lines for people as it happens, or JSON for programs at the
 * end (docs/fix-schema.json). Whether to do it is not decided here.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct check_probe;
struct check_result;

enum tell_action {
    TELL_WRITE,   /**< a new file */
    TELL_REPLACE, /**< the content of a file */
    TELL_SET,     /**< a running value */
    TELL_MODE,    /**< of a device */
    TELL_LOAD,    /**< a module */
    TELL_LEFT,    /**< not done, and why: somebody has to decide */
    TELL_FAILED,  /**< what follows takes back what was done */
    TELL_RESTORE, /**< a file as it was */
    TELL_REMOVE,  /**< a file that was not there */
    TELL_UNLOAD,
    TELL_STAYS, /**< nothing to take back, or not now, and why */
    TELL_ACTIONS,
};

/** One step; what does not belong to its action is NULL. */
struct told {
    enum tell_action action;
    const char *target; /**< path, sysctl, module, device */
    const char *value;  /**< content, value, mode */
    const char *was;    /**< the value before */
    const char *why;    /**< words that go on behind the target */
};

/** @p checks NULL: text on @p out. */
struct fix_teller {
    FILE *out;
    json_t *checks; /**< the teller's */
    json_t *check;  /**< of it, the one that steps are for */
    bool any;       /**< a check was begun */
};

/** @return 0 or -ENOMEM */
int tell_start(struct fix_teller *teller, bool json, FILE *out);
/** Steps and outcome are for this check from now on. */
void tell_begin(struct fix_teller *teller, const char *check);
/** The same without a heading in text; a check that was begun before is gone on with. */
void tell_again(struct fix_teller *teller, const char *check);
void tell_step(const struct fix_teller *teller, struct told step);
/** How it came out, a word of the schema, and in text a line that says so (NULL: none). */
void tell_outcome(const struct fix_teller *teller, const char *outcome, const char *line);
/** How the check comes out now. */
void tell_now(const struct fix_teller *teller, const struct check_probe *probe,
              const struct check_result *result, const char *user);
/** Ends the report. @param root  of an image, or NULL. @return 0 or -errno */
int tell_finish(struct fix_teller *teller, const char *root, bool dry, bool changed);
