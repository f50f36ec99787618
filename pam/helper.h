/*
 * A process beside the one that loaded us, in which all the work is done.
 *
 * The host application keeps its ids, umask, signals, file descriptors, resource limits and its
 * place in getpwent(3); whatever hangs is ended when its time is up. A host of one thread gets a
 * child that it cannot see: no SIGCHLD comes, and its wait(-1) does not find it.
 */
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

struct err;

typedef void helper_fn(void *arg);

/**
 * Runs @p fn(@p arg) as root in a child process and waits for its end.
 * Results come back in memory that is mapped shared. The child has the host's file descriptors
 * (name services keep theirs in it), no environment, default signals, a session of its own.
 * @return 0 when @p fn has returned; -ETIMEDOUT when it was ended; -ECHILD when it crashed; -errno
 */
int helper_run(helper_fn *fn, void *arg, unsigned limit_ms, struct err *err);
/**
 * From within: runs @p fn(@p arg) in a process that outlives this one, in a session of its own,
 * with /dev/null as its only files.
 * @return its pid, or -errno
 */
pid_t helper_detach(helper_fn *fn, void *arg);
/** From within: the host's resource limits and default signals, for a program that is executed. */
void helper_restore(void);
