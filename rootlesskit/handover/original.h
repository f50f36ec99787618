/* A socket of the child's that is about to listen: what has to be known to give it up for one of
 * the host's. */
#pragma once

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

struct original {
    int fd; /**< borrowed */
    int family;
    bool v6only;
    ino_t netns;                     /**< inode of its network namespace (nsfs) */
    bool nested;                     /**< of a namespace behind the child's, a container's */
    struct sockaddr_storage address; /**< bound to; an IPv4 address of AF_INET6 is IPv4 */
};

/**
 * @param child_netns  inode of the child's network namespace
 * @return 0; -errno: it must stay what it is: not TCP, the host's, listening or connected already,
 *         or with something that another socket would not have (a filter, a device)
 */
int original_read(int fd, ino_t child_netns, struct original *ret);
/** Gives @p twin the options that its original has. */
void original_copy_options(const struct original *original, int twin);
