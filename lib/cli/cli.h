/*
 * What a program says and how it ends. Only programs use this: libraries return errors.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct err;

/** Exit statuses of every program here; newuidmap and rootlesskit keep their originals' instead. */
enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1, /**< the work failed */
    CLI_USAGE = 2,  /**< the command line is wrong */
};

/** How lines on stderr begin: "newuidmap" or "[rootlesskit:parent]". @p prefix must stay valid. */
void cli_set_prefix(const char *prefix);
/** Turns cli_debug() on. */
void cli_set_debug(bool on);
bool cli_debugging(void);

/** "PREFIX: message", or "[PREFIX] error: message" for a bracketed prefix; one line on stderr. */
void cli_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void cli_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void cli_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/** Prints an error that came up and returns @p status, for `return cli_fail(&err, CLI_FAILED)`. */
int cli_fail(const struct err *err, int status);

/** Fills fds 0-2, closes all from @p first_unknown_fd on, sets umask 022. Call it first in main. */
void cli_begin(const char *prefix, int first_unknown_fd);
/** The umask before cli_begin(), for a program that starts the user's own command. */
mode_t cli_inherited_umask(void);
