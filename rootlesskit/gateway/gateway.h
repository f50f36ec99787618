/*
 * The data plane process: moves bytes between the child's network namespace C and the host.
 *
 * The parent forks it; it joins the child's user namespace, stays in the host's network namespace,
 * makes the gateway namespace G (when it is the network driver) and starts one worker thread a
 * place: outbound flows are dialled from the host, published ports from inside C. After set-up it
 * confines itself: no file system, no exec, only the system calls of the data path.
 */
#pragma once

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "rootlesskit/gateway/policy.h"

struct err;

/** By which packet rules a service in C sees the client's address (source_ip.h). */
enum gateway_source_ip {
    GATEWAY_SOURCE_IP_NONE,
    GATEWAY_SOURCE_IP_AUTO, /**< the first that works; only wanted, never in use */
    GATEWAY_SOURCE_IP_NFT,
    GATEWAY_SOURCE_IP_IPTABLES,
};

struct gateway_config {
    bool network; /**< make the network (--net=gateway); else serve ports only */
    bool ports;   /**< start the port worker (--port-driver=builtin) */
    enum gateway_source_ip source_ip; /**< of published ports */
    bool when_listening;  /**< a published TCP port refuses while nobody serves its target */
    struct policy policy; /**< the child's networks, and what it may reach; ipv6: try it */
    bool ipv6_must;       /**< without it there shall be no network */
    struct in6_addr child_v4, child_v6; /**< the child's addresses, IPv4 mapped */
    uint32_t mtu;                       /**< of the veth, bytes */
    char ifname[IF_NAMESIZE];           /**< of the child's end: tap0 */
    int userns_fd;                      /**< the child's user namespace (nsfs fd) */
    int netns_fd;                       /**< C */
    int control_fd;   /**< SOCK_SEQPACKET to the parent: gateway_request / gateway_reply */
    int resolvers_fd; /**< another one, with the network: gateway_resolvers */
};

/* Messages, one struct each (lib/base/msg.h). Every request gets exactly one reply with its op, id
 * and serial; besides, GATEWAY_READY is sent once, unasked, when set-up is over (code 0; a message
 * is then a warning) or has failed. */
enum gateway_op {
    GATEWAY_READY = 1,
    GATEWAY_PORT_ADD, /**< one fd beside: a listening TCP or SCTP or a bound UDP socket; target = in
                         C */
    GATEWAY_PORT_REMOVE,   /**< closes the listener and its connections, then replies */
    GATEWAY_PORT_DRAIN,    /**< closes the listener, replies, and the connections within drain_s */
    GATEWAY_PORT_DRAINED,  /**< replies 0 when the last of them is gone, -EINPROGRESS before */
    GATEWAY_PORT_YIELD,    /**< TCP: its socket stays bound, with SO_REUSEPORT, and listens no more;
                              its connections go on. Of one that has yielded: its stand-in is closed */
    GATEWAY_PORT_STAND_IN, /**< of one that has yielded; an fd beside: a listening socket whose
                              clients it has meanwhile, in the place of one before */
    GATEWAY_PORT_INWARD,   /**< of one that has yielded; an fd beside: a socket that listens in C,
                              whose clients are taken to target on the host */
    GATEWAY_PORT_INWARD_END, /**< closes the one of that seat; its connections go on */
    GATEWAY_PORT_DIAL, /**< TCP; the reply has an fd beside: a socket that connects to its target */
    GATEWAY_PORT_RESUME, /**< as before GATEWAY_PORT_YIELD: what the three have brought is closed */
    GATEWAY_SERVICES,    /**< a memory file beside: gets a struct services_record a port */
    GATEWAY_FLOWS,       /**< a memory file beside: gets a struct stats_record (stats.h) a flow */
    GATEWAY_TOTALS,      /**< a memory file beside: gets one struct stats_totals */
};

#define GATEWAY_RESOLVERS_MAX 3 /* MAXNS of resolv.conf(5) */

/* On a pair of its own the gateway asks, one byte, one question at a time, and the parent answers:
 * it may be waiting for a reply on the other one. */
#define GATEWAY_RESOLVERS_QUESTION '?'

/** The host's DNS servers as they are now, in the order to ask them in; may be none. Whole structs
 *  are compared: unused parts are zero. */
struct gateway_resolvers {
    uint32_t n;
    uint32_t timeout_s; /**< how long libc waits for one (options timeout); 0: nothing is said */
    struct sockaddr_storage addresses[GATEWAY_RESOLVERS_MAX]; /**< port 53 filled in */
};

struct gateway_request {
    uint32_t op;
    uint32_t serial;                /**< tells its reply from that of one given up before; not 0 */
    uint32_t id;                    /**< PORT_*: the port's id */
    struct sockaddr_storage target; /**< PORT_ADD, PORT_INWARD: IPv4 or IPv6 address and port */
    uint32_t seat;                  /**< PORT_INWARD: names it, a number of the parent's */
    uint32_t drain_s;  /**< PORT_DRAIN: how long its connections have to end by themselves */
    uint32_t fd_bound; /**< TOTALS: no fd of ours is as high; 0 = not known */
};

struct gateway_reply {
    uint32_t op;
    uint32_t serial; /**< READY: 0 */
    uint32_t id;
    int32_t code;       /**< 0 or -errno */
    uint32_t source_ip; /**< READY: the rules in use */
    uint32_t ipv6;      /**< READY: 1 when the network has it */
    char message[512];
};

/**
 * Runs until the parent's end of control_fd closes. Call it in a freshly forked, single-threaded
 * process whose fds are 0-2 and those of @p config. @return the process's exit status
 */
int gateway_run(const struct gateway_config *config);
