/*
 * When a process began: with its number, that tells it from every other of this boot, also from one
 * that has got the number since.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/** In clock ticks since boot (proc_pid_stat(5)). @return 0; -ESRCH when there is no such process,
 *  or one that has ended and was not waited for; -errno when /proc does not tell */
int birth_of(pid_t pid, uint64_t *ret);
