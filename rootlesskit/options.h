/*
 * rootlesskit's command line: every value is checked here, in the parent, before anything starts.
 * The child gets the finished config by being forked and parses nothing.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/cli/options.h"
#include "rootlesskit/port/spec.h"

struct err;

enum net_kind { NET_HOST, NET_NONE, NET_SLIRP4NETNS, NET_GATEWAY };
enum port_kind { PORT_NONE, PORT_BUILTIN };

struct rk_config {
    /* as given */
    bool debug;
    const char *print_semver;
    const char *state_dir;
    const char *net;
    const char *slirp4netns_binary;
    const char *slirp4netns_sandbox;
    const char *slirp4netns_seccomp;
    uint32_t mtu; /**< bytes; 0 = the driver's default, replaced by it in options_parse() */
    const char *cidr;
    const char *ifname;
    bool disable_host_loopback;
    struct cli_list copy_up;
    const char *copy_up_mode;
    const char *propagation;
    const char *port_driver;
    struct cli_list publish;
    bool pidns, cgroupns, utsns, ipcns;
    const char *reaper;

    /* worked out */
    enum net_kind net_kind;
    enum port_kind port_kind;
    bool reap; /**< as pid 1, reap orphans too */
    struct in_addr child_ip, gateway_ip, dns_ip;
    uint8_t prefix;
    struct port_spec *ports; /**< n_ports of them; owned */
    size_t n_ports;
    char **command; /**< NULL-ended, within argv */
};

/**
 * Parses and checks. @return CLI_PARSED, CLI_PARSED_EXIT (answered, end with 0), or -errno with the
 * one line to print.
 */
int options_parse(struct rk_config *config, int argc, char **argv, struct err *err);
void options_free(struct rk_config *config);
