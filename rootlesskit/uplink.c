#include "rootlesskit/uplink.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/err.h"
#include "lib/cli/cli.h"
#include "rootlesskit/child.h"
#include "rootlesskit/hostfiles.h"
#include "rootlesskit/options.h"
#include "rootlesskit/statedir.h"

/* Of one driver, so that all of them fit into one line. */
#define REASON_MAX 280

static bool has_plane(const struct rk_config *config)
{
    return config->net_kind == NET_GATEWAY || config->port_kind == PORT_BUILTIN;
}

/* What --net=auto may take, best first, ended by NET_AUTO: a port driver or rules of egress may
 * leave but one. */
static const enum net_kind *candidates(const struct rk_config *config)
{
    static const enum net_kind any[] = {NET_GATEWAY, NET_PASTA, NET_SLIRP4NETNS, NET_AUTO};
    static const enum net_kind without_pasta[] = {NET_GATEWAY, NET_SLIRP4NETNS, NET_AUTO};
    static const enum net_kind gateway[] = {NET_GATEWAY, NET_AUTO};
    static const enum net_kind pasta[] = {NET_PASTA, NET_AUTO};
    static const enum net_kind slirp4netns[] = {NET_SLIRP4NETNS, NET_AUTO};
    if (config->egress)
        return gateway;
    switch (config->port_kind) {
    case PORT_NONE:
    case PORT_BUILTIN:
        return config->slice.kind == SLICE_NONE ? any : without_pasta;
    case PORT_IMPLICIT:
    case PORT_PESTO:
        return pasta;
    case PORT_SLIRP4NETNS:
        return slirp4netns;
    }
    return any;
}

static int start_plane(struct uplink *uplink, const struct rk_config *config,
                       const struct child *child, struct err *err)
{
    return has_plane(config) ? dataplane_start(&uplink->dataplane, config, child, err) : 0;
}

int uplink_begin(struct uplink *uplink, struct rk_config *config, const struct child *child,
                 struct err *err)
{
    if (config->net_kind == NET_AUTO)
        return 0;
    return start_plane(uplink, config, child, err);
}

static int start_driver(struct uplink *uplink, const struct rk_config *config,
                        const struct child *child, const struct statedir *state, struct err *err)
{
    int r = network_start(&uplink->network, config, child, state, err);
    if (r >= 0 && has_plane(config))
        r = dataplane_wait(&uplink->dataplane, err);
    if (r >= 0 && config->net_kind == NET_GATEWAY)
        uplink->network.info.ipv6 = uplink->dataplane.ipv6;
    return r;
}

/* Adds "DRIVER: why" to the reasons so far; a long one is cut. */
static void add_reason(char *reasons, size_t size, const char *driver, const char *why)
{
    size_t used = strlen(reasons);
    (void)snprintf(reasons + used, size - used, "%s%s: %.*s", used ? "; " : "", driver, REASON_MAX,
                   why);
}

/* One line tells why it is not the best driver, or why it is none. */
static int choose(struct uplink *uplink, struct rk_config *config, const struct child *child,
                  const struct statedir *state, struct err *err)
{
    char reasons[ERR_MSG_MAX - 128] = "";
    for (const enum net_kind *kind = candidates(config); *kind != NET_AUTO; kind++) {
        options_set_network(config, *kind);
        int r = start_plane(uplink, config, child, err);
        if (r >= 0)
            r = start_driver(uplink, config, child, state, err);
        if (r >= 0 && reasons[0])
            cli_warning("--net=auto takes %s, because %s", config->net, reasons);
        if (r >= 0)
            return 0;
        uplink_stop(uplink);
        add_reason(reasons, sizeof reasons, config->net, err->msg);
    }
    if (config->egress)
        return err_set(err, EOPNOTSUPP,
                       "%s; no other driver keeps to --egress-allow and --egress-deny", reasons);
    return err_set(err, EOPNOTSUPP, "none of its drivers works here: %s", reasons);
}

int uplink_finish(struct uplink *uplink, struct rk_config *config, const struct child *child,
                  const struct statedir *state, struct err *err)
{
    bool open = config->net_kind == NET_AUTO;
    int r = open ? choose(uplink, config, child, state, err)
                 : start_driver(uplink, config, child, state, err);
    if (r < 0)
        return err_wrap(err, r, "failed to setup network %s", open ? "auto" : config->net);
    const struct network_info *info = &uplink->network.info;
    return options_has_names(config) ? hostfiles_write(state->fd, info->dns, info->n_dns, err) : 0;
}

void uplink_stop(struct uplink *uplink)
{
    dataplane_stop(&uplink->dataplane);
    network_stop(&uplink->network);
}
