/* Work to be done in C: by a process that ends, because entering a user namespace cannot be undone.
 */
#pragma once

struct child;
struct err;

/** Moves the calling process into the child's user and network namespace for good. @return 0 or
 *  -errno */
int enter_child(const struct child *child);
/** @return 0 or -errno */
typedef int enter_fn(const void *arg);

/**
 * Runs @p fn in the child's user and network namespace and waits for it.
 * @param what  for the message: "cannot bring up ..."
 */
int enter_and_do(const struct child *child, enter_fn *fn, const void *arg, const char *what,
                 struct err *err);
