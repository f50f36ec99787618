/*
 * rootlesskit's command line: every value is checked here, in the parent, before anything starts.
 * The child gets the finished config by being forked and parses nothing.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/cli/options.h"
#include "rootlesskit/port/range.h"
#include "rootlesskit/port/spec.h"
#include "rootlesskit/slice.h"

struct egress;
struct err;

#define OPTIONS_RANGES_MAX 32

enum net_kind {
    NET_HOST,
    NET_NONE,
    NET_GATEWAY,
    NET_PASTA,
    NET_SLIRP4NETNS,
    NET_LXC_USER_NIC,
    NET_AUTO, /**< the parent takes the first of gateway, pasta, slirp4netns that works */
};
enum port_kind { PORT_NONE, PORT_IMPLICIT, PORT_BUILTIN, PORT_SLIRP4NETNS, PORT_PESTO };

struct rk_config {
    /* as given */
    bool debug;
    const char *print_semver;
    const char *state_dir;
    const char *net;
    const char *pasta_binary;
    const char *pesto_binary;
    const char *slirp4netns_binary;
    const char *slirp4netns_sandbox;
    const char *slirp4netns_seccomp;
    const char *lxc_user_nic_binary; /**< NULL: none is where distributions put it */
    const char *lxc_user_nic_bridge;
    const char *vpnkit_binary; /**< taken and ignored: RootlessKit's users may pass it */
    uint32_t mtu; /**< bytes; 0 = the driver's default, replaced by it in options_parse() */
    const char *cidr;
    const char *ifname;
    bool disable_host_loopback;
    struct cli_list egress_allow, egress_deny;
    enum cli_switch ipv6_wanted;
    bool detach_netns; /**< the command stays in the host's network namespace */
    struct cli_list copy_up;
    const char *copy_up_mode;
    const char *propagation;
    const char *port_driver;
    struct cli_list publish;
    bool publish_when_listening; /**< a TCP port refuses while nobody serves its target */
    const char *port_handover;   /**< whose services get listening sockets of the host */
    bool source_ip_transparent;
    const char *source_ip_backend; /**< auto, nft, iptables */
    bool pidns, cgroupns, utsns, ipcns;
    const char *reaper;
    const char *evacuate_cgroup2; /**< name of the cgroup, or NULL */
    const char *subid_source;     /**< auto, dynamic, static */
    const char *subid_slice;      /**< auto, OFFSET:COUNT, or NULL */

    /* worked out */
    enum net_kind net_kind;
    enum port_kind port_kind;
    struct slice slice;
    bool ipv6; /**< wanted; of the gateway unless it is switched off, of other drivers if on */
    bool reap; /**< as pid 1, reap orphans too */
    struct in_addr child_ip, gateway_ip, dns_ip;
    uint8_t prefix;
    struct port_range handed_over[OPTIONS_RANGES_MAX]; /**< n_handed_over of them: parent ports */
    size_t n_handed_over;
    bool handover_locked;    /**< only as sockets that cannot connect: the network has limits */
    struct port_spec *ports; /**< n_ports of them; owned */
    size_t n_ports;
    struct egress *egress; /**< NULL: no rules; owned */
    unsigned n_sockets;    /**< passed to us for the command (activation.h), fds 3 and up */
    char **command;        /**< NULL-ended, within argv */
};

/**
 * Parses and checks. @return CLI_PARSED, CLI_PARSED_EXIT (answered, end with 0), or -errno with the
 * one line to print.
 */
int options_parse(struct rk_config *config, int argc, char **argv, struct err *err);
void options_free(struct rk_config *config);
/** Makes @p kind the network driver, in place of NET_AUTO. */
void options_set_network(struct rk_config *config, enum net_kind kind);
/** The network has names of its own: a resolv.conf and a hosts file are made for it. */
static inline bool options_has_names(const struct rk_config *config)
{
    return config->net_kind != NET_HOST && config->net_kind != NET_NONE;
}
