/*
 * A published port that lasts as long as its owner: a process of its own adds it and takes it away
 * when the owner lets go or ends, even by SIGKILL.
 */
#pragma once

#include <sys/types.h>

struct err;
struct port_spec;

struct lease {
    pid_t keeper; /**< 0: there is no lease */
    int owner_fd; /**< its closing ends the lease */
};

/** Publishes @p spec by the API at @p socket_path. Call it before there are threads.
 *  @return 0, or -errno with the API's message */
int lease_open(struct lease *ret, const char *socket_path, const struct port_spec *spec,
               struct err *err);
/** Takes the port back; it is gone when this returns. */
void lease_close(struct lease *lease);
