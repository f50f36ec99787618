/*
 * The id maps of the child: root is the caller, the caller's subordinate ids follow from 1 on.
 * Written by newuidmap and newgidmap (both started at once); rootlesskit has no privilege itself.
 */
#pragma once

#include <sys/types.h>

struct err;

/**
 * @param child  a process that is alone in a new user namespace
 * @return 0; -errno with a message that names the cause and the command that mends it
 */
int maps_write(pid_t child, struct err *err);
