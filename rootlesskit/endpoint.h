/*
 * The parent's side of the API: owns api.sock, starts rootlesskit-api when somebody connects, and
 * answers its requests (api/control.h).
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <sys/types.h>

#include "lib/base/loop.h"

struct err;
struct network_info;
struct ports;
struct rk_config;
struct statedir;

struct endpoint {
    struct loop *loop;
    const struct rk_config *config;
    const struct statedir *state;
    struct ports *ports;
    const struct network_info *network;
    pid_t child;
    uid_t root; /**< the command's root, who is served as we are */

    int listen_fd, control_fd, server_pidfd;
    pid_t server; /**< 0: not running */
    struct loop_source listener, control, server_end;
};

#define ENDPOINT_UNSET                                                    \
    {                                                                     \
        .listen_fd = -EBADF, .control_fd = -EBADF, .server_pidfd = -EBADF \
    }

/** Creates api.sock (0600; 0666 when the command is somebody else) in the state directory and
 * watches it in @p endpoint->loop. The fields of the first group are set by the caller before. */
int endpoint_open(struct endpoint *endpoint, struct err *err);
void endpoint_close(struct endpoint *endpoint);
