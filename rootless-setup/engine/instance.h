/*
 * A running engine, as its state directory tells: rootlesskit holds the lock there from the first
 * moment to the last.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct err;

struct instance {
    bool running;
    pid_t child; /**< root of the namespaces; 0 while it is being started or ended */
};

/**
 * Looks once. No such directory, or a lock that nobody holds, is an engine that does not run.
 * @return 0, or -errno: the directory is not to be read, or somebody else's
 */
int instance_look(const char *state_dir, struct instance *ret, struct err *err);
/** As above, but gives one that is just ending the same two seconds that rootlesskit waits. */
int instance_await_end(const char *state_dir, struct instance *ret, struct err *err);
