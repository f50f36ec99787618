/* Threads of the data plane: started before the process confines itself, they end with it. */
#pragma once

/** @return the CPUs that this process may use, at least 1 */
unsigned thread_cpus(void);
/**
 * Starts one with the caller's namespaces and capabilities, and a stack for a worker's loop.
 * Returns when it has called @p prepare (which may be NULL), and with that the system calls of its
 * beginning, which the filter (confine.h) does not know.
 * @param run  the rest of it; not called when prepare failed
 * @return 0, -errno, or what prepare returned when that is negative
 */
int thread_start(int (*prepare)(void *arg), void (*run)(void *arg), void *arg);
