/*
 * One error value: a code and a message a person can act on.
 *
 * A fallible function takes `struct err *err` last (NULL: the caller wants the code only) and
 * returns 0, a count or an fd on success, -errno on failure. The value lives on the caller's
 * stack and needs no freeing. Libraries never print: main or a cmd_* function prints it, once.
 */
#pragma once

/** Room for a message; longer text is cut, never overrun. */
#define ERR_MSG_MAX 1024

struct err {
    int code;              /**< positive errno value; 0 = no error */
    char msg[ERR_MSG_MAX]; /**< one line, no newline at the end */
};

/**
 * Records an error.
 * @param code  positive errno value
 * @param fmt   what failed, on which value, and what to do
 * @return -code, so that `return err_set(err, EINVAL, "...")` reads as one step
 */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/** As err_set(), with ": " and the system's text for @p code put behind the message. */
int err_sys(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/**
 * Puts context in front of an error on its way up: "context: old message".
 * @param r  the negative code being passed on; returned unchanged
 */
int err_wrap(struct err *err, int r, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
