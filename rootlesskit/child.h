/*
 * The child: root of the new namespaces. It sets up the mounts, starts the command, and then is its
 * supervisor: passes signals on, reaps, reports the exit status, and ends the whole family of
 * processes when the command ends or the parent dies, SIGKILL included.
 */
#pragma once

#include <sys/types.h>

struct err;
struct rk_config;
struct statedir;

/**
 * Clones the child into its namespaces.
 * @param ret_link  the parent's end of the pair (link.h), owned by the caller
 * @param ret_pidfd the child's pidfd, owned by the caller
 * @return the child's pid; -errno with a message that says which switch forbids user namespaces
 */
pid_t child_start(const struct rk_config *config, struct statedir *state, int *ret_link,
                  int *ret_pidfd, struct err *err);
