/*
 * What there is of an engine of the user's, whether it runs, and what is wrong with it. Changes
 * nothing; runs as the user.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "rootless-setup/install/context.h"
#include "rootless-setup/install/setup.h"

struct err;
struct json_t;

/** What makes it a service. */
enum status_by {
    STATUS_NOTHING,
    STATUS_UNIT,    /**< our unit */
    STATUS_SCRIPT,  /**< our script */
    STATUS_VENDOR,  /**< the distribution's unit, switched on */
    STATUS_FOREIGN, /**< a unit of somebody else's in the place of ours */
};

struct status_program {
    char path[4096];   /**< "" when it is not in $PATH */
    char version[256]; /**< first line of what it says, or "" */
};

#define STATUS_PROBLEMS_MAX 24

struct status_problem {
    bool hint;        /**< it runs all the same */
    char check[32];   /**< which check tells more, or "" */
    char what[1024];  /**< one line */
    char remedy[512]; /**< a command, or "" */
};

struct status {
    const struct engine *engine;
    enum status_by by;
    bool running;    /**< and answers, where it has a socket */
    char file[4200]; /**< the unit or script; "" for nothing */
    char unit_name[64];
    struct unit unit; /**< where a manager answers */
    int socket_error; /**< 0: somebody answers; errno otherwise */
    char server[128]; /**< version of the running daemon, or "" */
    pid_t kit;        /**< rootlesskit's process, or 0 */
    char network[64], port_driver[64], address[64], kit_version[64]; /**< as its API has them */
    struct status_program daemon, client;
    struct context context; /**< where the client has some */
    bool lingers;
    struct status_problem problems[STATUS_PROBLEMS_MAX];
    size_t n_problems;
};

/** Looks, asks, and when it does not run makes the checks. @return 0 or -errno */
int status_read(const struct setup *setup, struct status *ret, struct err *err);
/** Says what is wrong with what status_read() found; its last part. */
void status_judge(const struct setup *setup, struct status *status);
/** True when something keeps it from running as it should. */
bool status_bad(const struct status *status);

/** "no", "unit", "script", "vendor", "foreign". */
const char *status_by_name(enum status_by by);
/** Aligned lines, then what is wrong. */
void status_report_text(const struct setup *setup, const struct status *status, FILE *out);
/** One line. */
void status_report_line(const struct status *status, FILE *out);
/** One engine of docs/status-schema.json; the caller's to release. NULL without memory */
struct json_t *status_report_json(const struct setup *setup, const struct status *status);
