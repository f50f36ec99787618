/*
 * The child: root of the new namespaces. It sets up the mounts, starts the command, and then is its
 * supervisor: passes signals on, reaps, reports the exit status, and ends the whole family of
 * processes when the command ends or the parent dies, SIGKILL included.
 */
#pragma once

#include <errno.h>
#include <sys/types.h>

struct err;
struct rk_config;
struct statedir;

/** The child as the parent holds it. */
struct child {
    pid_t pid; /**< 0 = not started */
    int pidfd;
    int link_fd; /**< the parent's end of the pair (link.h) */
    int userns_fd;
    int netns_fd; /**< C, the network namespace that drivers work on; -EBADF with --net=host */
};

#define CHILD_UNSET                                                                 \
    {                                                                               \
        .pidfd = -EBADF, .link_fd = -EBADF, .userns_fd = -EBADF, .netns_fd = -EBADF \
    }

/**
 * Clones the child into its namespaces and opens those.
 * @param ret  CHILD_UNSET on entry; child_end() is due even after a failure
 * @return 0; -errno with a message that says which switch forbids user namespaces
 */
int child_start(struct child *ret, const struct rk_config *config, struct statedir *state,
                struct err *err);
/** Closes the link, which tells the child that we are through, and waits for its end; one that does
 *  not end is killed. */
void child_end(struct child *child);
