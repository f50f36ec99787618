/*
 * The external program of a network driver: its command line, its start, whether it is ready, and
 * what it said. It ends with the parent, SIGKILL included.
 */
#pragma once

#include <limits.h>
#include <stddef.h>
#include <sys/types.h>

struct child;
struct err;
struct network;
struct proc_spec;

#define HELPER_WORDS_MAX 32
#define HELPER_TEXT_MAX (3 * PATH_MAX)

/** A command line being made; one too long for it is refused by helper_start(). */
struct helper_line {
    const char *words[HELPER_WORDS_MAX];
    size_t n;
    char text[HELPER_TEXT_MAX];
    size_t used;
};

void helper_word(struct helper_line *line, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/**
 * Starts it as network->helper, which must be unset. What it writes is kept (network->said_fd), or
 * goes to stderr with --debug.
 * @param spec  what else it gets: pass_fds, stdin_fd, userns_fd; completed here
 * @return 0 or -errno, for -ENOENT with the package to install
 */
int helper_start(struct network *network, const struct helper_line *line, struct proc_spec *spec,
                 struct err *err);
/**
 * Waits until it writes to @p ready_fd.
 * @return 0; -EIO when it ended, with its own message; -ETIMEDOUT
 */
int helper_wait(struct network *network, int ready_fd, const char *name, struct err *err);
/** Whether @p err, set by helper_wait(), says that it does not know an option. */
int helper_lacks_option(const struct err *err);

/** A process in C for programs that find a network namespace by a pid alone: C has one of its own
 *  with --detach-netns. Ended by helper_release(). */
struct helper_holder {
    pid_t pid; /**< what to name; the child's own pid where that will do */
    pid_t own; /**< 0: none was needed */
    int life_fd;
};
int helper_hold(struct helper_holder *holder, const struct child *child, int detached,
                struct err *err);
void helper_release(struct helper_holder *holder);
