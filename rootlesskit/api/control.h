/*
 * Between the parent and rootlesskit-api, which serves the REST API: one request, one reply, over a
 * SOCK_SEQPACKET pair (lib/base/msg.h). The parent starts rootlesskit-api when somebody connects
 * to api.sock, with the listening socket as fd 3, this pair as fd 4, and as its one argument the
 * uid that it serves beside its own and root's; it ends when idle. So the
 * HTTP server's libraries cost nothing at start-up, and its parser never runs in the parent.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "rootlesskit/port/spec.h"

#define CONTROL_LISTEN_FD 3
#define CONTROL_FD 4
#define CONTROL_DNS_MAX 4

enum control_op {
    CONTROL_INFO = 1,
    CONTROL_LIST, /**< id = lowest port id wanted (0 first); one reply a request, -ENOENT at the end
                   */
    CONTROL_ADD,  /**< spec; reply: id and spec as kept */
    CONTROL_REMOVE,   /**< id */
    CONTROL_DRAIN,    /**< id, drain_s; replied to when the port takes no more clients */
    CONTROL_DRAINED,  /**< id; -EINPROGRESS until the last of its connections is gone */
    CONTROL_SERVICES, /**< beside it a memory file, which gets a struct services_record a port
                       * (gateway/services.h); -ENOTSUP with a driver that does not know */
    CONTROL_FLOWS,    /**< beside it a memory file, which gets a struct stats_record a flow
                       * (gateway/stats.h) */
    CONTROL_TOTALS, /**< beside it a memory file, which gets one struct stats_totals; reply: n_ports
                     * and resident */
};

struct control_request {
    uint32_t op;
    uint32_t id;
    uint32_t drain_s; /**< how long the port's connections have to end by themselves */
    struct port_spec spec;
};

struct control_info {
    char state_dir[PATH_MAX];
    int32_t child_pid;
    char network_driver[32]; /**< "" when there is none (--net=host) */
    char dns[CONTROL_DNS_MAX][PORT_IP_MAX];
    char child_ip[PORT_IP_MAX];
    bool dynamic_child_ip;          /**< it may change while we run */
    bool ipv6;                      /**< the network has IPv6 */
    char port_driver[32];           /**< "" for none and implicit */
    char protos[9][PORT_PROTO_MAX]; /**< supported ones, "" ends the list */
    bool disallow_loopback_child_ip;
    char source_ip_backend[16]; /**< none, nft or iptables; "" unless the driver is builtin */
};

struct control_reply {
    uint32_t op;
    uint32_t id;
    int32_t code; /**< 0 or -errno */
    char message[ERR_MSG_MAX];
    struct port_spec spec;
    struct control_info info;
    uint32_t n_ports;  /**< published */
    uint64_t resident; /**< memory of the data plane, bytes; 0 = not known */
};
