/*
 * How an engine is to be launched: from options, from the variables that its peer's start script
 * reads, and from defaults, in this order.
 *
 * Values point to the environment or the command line; nothing is owned.
 */
#pragma once

#include <stdint.h>

#include "lib/cli/options.h"
#include "rootless-setup/engine/engine.h"

struct err;

/** The drivers of rootlesskit, NULL-ended, and what came of RootlessKit's others (cli_option's
 *  gone). */
extern const char *const launch_nets[];
extern const char *const launch_nets_gone[];
extern const char *const launch_port_drivers[];

#define LAUNCH_MTU_MAX 65521 /* rootlesskit's */

/** A field that is NULL, 0 or CLI_UNSET is not set. */
struct launch_settings {
    const char *state_dir;
    const char *net;
    const char *port_driver;
    const char *slirp4netns_sandbox;
    const char *slirp4netns_seccomp;
    const char *flags; /**< further options of rootlesskit, divided by blanks */
    uint32_t mtu;
    enum cli_switch disable_host_loopback, detach_netns, ipv6;
};

/**
 * Reads the variables of @p engine, except for what @p given has.
 * @return 0, or -EINVAL with a message that names variable, value and choices
 */
int settings_read(const struct engine *engine, const struct launch_settings *given,
                  struct launch_settings *ret, struct err *err);
/**
 * The next variable of the environment that is spelled like the engine's but is none, for a
 * warning.
 * @param at  where to go on; 0 at first
 * @return its "NAME=value", which may be nobody's business, or NULL
 */
const char *settings_stray(const struct engine *engine, size_t *at);
/**
 * What holds in the end: @p given over @p read, and defaults for the rest but state_dir, mtu,
 * detach_netns and ipv6.
 * @return 0, or -EINVAL: the engine cannot use the host's network
 */
int settings_merge(const struct engine *engine, const struct launch_settings *given,
                   const struct launch_settings *read, struct launch_settings *ret,
                   struct err *err);
