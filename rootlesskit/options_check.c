#include "rootlesskit/options_check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/cli/cli.h"
#include "rootlesskit/gateway/egress.h"
#include "rootlesskit/options.h"

/* Offsets of the fixed hosts in the network, the same as slirp4netns's and RootlessKit's. */
#define HOST_GATEWAY 2
#define HOST_DNS 3
#define HOST_CHILD 100

/* What a driver takes; without a name of its own it has no interface. */
static const struct traits {
    const char *ifname;
    uint32_t mtu;
    bool cidr;
    bool ipv6;
    bool host_loopback; /**< it can lead to the host's 127.0.0.1 */
} traits[] = {
    [NET_HOST] = {0},
    [NET_NONE] = {0},
    [NET_GATEWAY] = {"tap0", 65520, .cidr = true, .ipv6 = true, .host_loopback = true},
    [NET_PASTA] = {"tap0", 65520, .cidr = true, .ipv6 = true, .host_loopback = true},
    [NET_SLIRP4NETNS] = {"tap0", 65520, .cidr = true, .ipv6 = true, .host_loopback = true},
    [NET_LXC_USER_NIC] = {"eth0", 1500},
    [NET_AUTO] = {"tap0", 65520, .cidr = true, .ipv6 = true, .host_loopback = true},
};

static int parse_cidr(struct rk_config *config, struct err *err)
{
    const char *text = config->cidr;
    char address[INET_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    uint32_t prefix = 0;
    struct in_addr network = {0};
    if (!slash || str_format(address, sizeof address, "%.*s", (int)(slash - text), text) < 0 ||
        inet_pton(AF_INET, address, &network) != 1)
        return err_set(err, EINVAL,
                       "--cidr: \"%s\" is not an IPv4 network like " OPTIONS_CIDR_DEFAULT, text);
    int r = parse_u32("--cidr, prefix length", slash + 1, 1, 25, &prefix, err);
    if (r < 0)
        return r;
    uint32_t base = ntohl(network.s_addr);
    uint32_t mask = UINT32_MAX << (32 - prefix);
    if (base & ~mask) {
        struct in_addr right = {.s_addr = htonl(base & mask)};
        char shown[INET_ADDRSTRLEN];
        return err_set(err, EINVAL, "--cidr must be a network like %s/%u, not an address like %s",
                       inet_ntop(AF_INET, &right, shown, sizeof shown), prefix, text);
    }
    config->prefix = (uint8_t)prefix;
    config->gateway_ip.s_addr = htonl(base + HOST_GATEWAY);
    config->dns_ip.s_addr = htonl(base + HOST_DNS);
    config->child_ip.s_addr = htonl(base + HOST_CHILD);
    return 0;
}

static int check_ifname(const char *name, struct err *err)
{
    size_t len = strlen(name);
    if (len == 0 || len >= IF_NAMESIZE || strpbrk(name, "/: \t\n") || str_equal(name, ".") ||
        str_equal(name, ".."))
        return err_set(
            err, EINVAL,
            "--ifname: \"%s\" is no interface name (1 to %d characters, no '/', ':' or blank)",
            name, IF_NAMESIZE - 1);
    return 0;
}

/* Of what has no effect, and of a door that is easily left open. */
static void warn(const struct rk_config *config, bool mtu_given)
{
    const struct traits *net = &traits[config->net_kind];
    if (mtu_given && !net->ifname)
        cli_warning("--mtu=%u has no effect with --net=%s", config->mtu, config->net);
    if (config->ipv6_wanted == CLI_ON && !net->ipv6)
        cli_warning("--ipv6 has no effect with --net=%s", config->net);
    if (config->detach_netns && config->net_kind == NET_HOST)
        cli_warning("--detach-netns has no effect with --net=host");
    if (config->publish.n > 0 && config->port_kind == PORT_IMPLICIT)
        cli_warning("--publish has no effect with --port-driver=implicit, which forwards every "
                    "port that the child listens on");
    if (!config->disable_host_loopback && net->host_loopback)
        cli_warning("without --disable-host-loopback the command can connect to services on the "
                    "host's 127.0.0.1");
}

static int check_network(struct rk_config *config, struct err *err)
{
    const struct traits *net = &traits[config->net_kind];
    if (!net->cidr && config->cidr)
        return err_set(err, EINVAL, "--cidr cannot be used with --net=%s", config->net);
    if (!net->ifname && config->ifname)
        return err_set(err, EINVAL, "--ifname cannot be used with --net=%s", config->net);
    if (config->detach_netns && str_equal(config->slirp4netns_sandbox, "true"))
        return err_set(err, EINVAL,
                       "--slirp4netns-sandbox=true cannot be used with --detach-netns: slirp4netns "
                       "could not find the namespace (slirp4netns issue 317)");
    if (!config->cidr)
        config->cidr = OPTIONS_CIDR_DEFAULT;
    if (!config->ifname)
        config->ifname = net->ifname ? net->ifname : "";
    else if (check_ifname(config->ifname, err) < 0)
        return -EINVAL;
    if (config->mtu == 0)
        config->mtu = net->mtu;
    config->ipv6 = config->ipv6_wanted == CLI_ON;
    return parse_cidr(config, err);
}

static int check_port_driver(const struct rk_config *config, struct err *err)
{
    static const struct {
        enum net_kind net;
        const char *name;
    } only[] = {
        [PORT_IMPLICIT] = {NET_PASTA, "pasta"},
        [PORT_SLIRP4NETNS] = {NET_SLIRP4NETNS, "slirp4netns"},
        [PORT_PESTO] = {NET_PASTA, "pasta"},
    };
    switch (config->port_kind) {
    case PORT_NONE:
        return 0;
    case PORT_BUILTIN:
        if (config->net_kind == NET_HOST)
            return err_set(err, EINVAL,
                           "--port-driver=builtin needs a network of its own: add --net=gateway, "
                           "pasta, slirp4netns, lxc-user-nic or none");
        return 0;
    case PORT_IMPLICIT:
    case PORT_SLIRP4NETNS:
    case PORT_PESTO:
        break;
    }
    if (config->net_kind == NET_AUTO || config->net_kind == only[config->port_kind].net)
        return 0;
    return err_set(err, EINVAL, "--port-driver=%s needs --net=%s, not --net=%s",
                   config->port_driver, only[config->port_kind].name, config->net);
}

static int read_handover(struct rk_config *config, struct err *err)
{
    struct cursor c =
        cursor_of(str_equal(config->port_handover, "all") ? "1-65535" : config->port_handover);
    do {
        if (config->n_handed_over == OPTIONS_RANGES_MAX)
            return err_set(err, E2BIG, "up to %d ports and ranges of ports", OPTIONS_RANGES_MAX);
        int r = port_range_read(&c, &config->handed_over[config->n_handed_over++], err);
        if (r < 0)
            return r;
    } while (cursor_char(&c, ','));
    return cursor_done(&c) ? 0 : err_set(err, EINVAL, "ports and ranges are separated by commas");
}

/* A socket of the host's would take no notice of what the child's network keeps it from. */
static int check_handover(struct rk_config *config, struct err *err)
{
    if (!config->port_handover)
        return 0;
    if (config->port_kind != PORT_BUILTIN)
        return err_set(err, EINVAL, "--port-handover needs --port-driver=builtin");
    config->handover_locked = !traits[config->net_kind].host_loopback ||
                              config->disable_host_loopback || config->egress != NULL;
    int r = read_handover(config, err);
    return r < 0 ? err_wrap(err, r, "--port-handover: \"%s\"", config->port_handover) : 0;
}

static int check_ports(struct rk_config *config, struct err *err)
{
    int r = check_port_driver(config, err);
    if (r >= 0)
        r = check_handover(config, err);
    if (r >= 0 && config->publish_when_listening && config->port_kind != PORT_BUILTIN)
        r = err_set(err, EINVAL, "--publish-when-listening needs --port-driver=builtin");
    if (r < 0 || config->publish.n == 0)
        return r;
    if (config->port_kind == PORT_NONE)
        return err_set(err, EINVAL,
                       "port driver \"none\" does not support publishing ports: add "
                       "--port-driver=builtin for --publish");
    config->ports = calloc(config->publish.n, sizeof *config->ports);
    if (!config->ports)
        return err_set(err, ENOMEM, "no memory for %zu ports", config->publish.n);
    for (size_t i = 0; i < config->publish.n; i++) {
        r = port_spec_parse(config->publish.items[i], &config->ports[i], err);
        if (r < 0)
            return err_wrap(err, r, "--publish");
        config->n_ports++;
    }
    return 0;
}

static int add_rules(struct egress *rules, const struct cli_list *list, bool deny, struct err *err)
{
    int r = 0;
    for (size_t i = 0; i < list->n && r >= 0; i++)
        r = egress_add(rules, list->items[i], deny, err);
    return r < 0 ? err_wrap(err, r, deny ? "--egress-deny" : "--egress-allow") : r;
}

/* A rule that nobody enforces would be worse than none. */
static int check_egress(struct rk_config *config, struct err *err)
{
    const char *option = config->egress_deny.n > 0 ? "--egress-deny" : "--egress-allow";
    if (config->egress_allow.n + config->egress_deny.n == 0)
        return 0;
    if (config->net_kind != NET_GATEWAY && config->net_kind != NET_AUTO)
        return err_set(err, EINVAL, "%s cannot be used with --net=%s, only with --net=gateway",
                       option, config->net);
    if (config->port_kind != PORT_NONE && config->port_kind != PORT_BUILTIN)
        return err_set(err, EINVAL,
                       "%s cannot be used with --port-driver=%s, which --net=gateway does not have",
                       option, config->port_driver);
    config->egress = calloc(1, sizeof *config->egress);
    if (!config->egress)
        return err_set(err, ENOMEM, "no memory for the rules of %s", option);
    int r = add_rules(config->egress, &config->egress_allow, false, err);
    return r < 0 ? r : add_rules(config->egress, &config->egress_deny, true, err);
}

static int check_mounts(const struct rk_config *config, struct err *err)
{
    bool shared =
        str_equal(config->propagation, "shared") || str_equal(config->propagation, "rshared");
    if (shared && config->copy_up.n > 0)
        return err_set(err, EINVAL,
                       "--copy-up cannot be used with --propagation=%s: its mounts would spread",
                       config->propagation);
    for (size_t i = 0; i < config->copy_up.n; i++)
        if (config->copy_up.items[i][0] != '/' || config->copy_up.items[i][1] == '\0')
            return err_set(err, EINVAL,
                           "--copy-up: \"%s\" must be the absolute path of a directory below /",
                           config->copy_up.items[i]);
    return 0;
}

static int check_processes(struct rk_config *config, struct err *err)
{
    const char *cgroup = config->evacuate_cgroup2;
    if (str_equal(config->reaper, "true") && !config->pidns)
        return err_set(err, EINVAL, "--reaper=true needs --pidns");
    config->reap = config->pidns && !str_equal(config->reaper, "false");
    if (!cgroup)
        return 0;
    if (!config->cgroupns || !config->pidns)
        return err_set(err, EINVAL, "--evacuate-cgroup2 needs --cgroupns and --pidns");
    if (!cgroup[0] || strchr(cgroup, '/') || cgroup[0] == '.' || strlen(cgroup) > NAME_MAX)
        return err_set(
            err, EINVAL,
            "--evacuate-cgroup2: \"%s\" must be the name of one cgroup, without '/' or a "
            "leading '.'",
            cgroup);
    return 0;
}

/* pasta joins the namespace as the user and can be traced there, so the slice's root would be him.
 */
static int check_slice(struct rk_config *config, struct err *err)
{
    bool pasta = config->net_kind == NET_PASTA || config->port_kind == PORT_IMPLICIT ||
                 config->port_kind == PORT_PESTO;
    int r = slice_parse(&config->slice, config->subid_slice, err);
    if (r < 0 || config->slice.kind == SLICE_NONE)
        return r;
    if (!config->state_dir)
        return err_set(
            err, EINVAL,
            "--subid-slice needs --state-dir: the slice is remembered for that directory");
    if (pasta)
        return err_set(err, EINVAL,
                       "--subid-slice cannot be used with pasta, by which the command could act as "
                       "you: use --net=gateway or slirp4netns");
    return 0;
}

int options_check(struct rk_config *config, struct err *err)
{
    bool mtu_given = config->mtu > 0;
    int r = check_network(config, err);
    if (r >= 0)
        r = check_egress(config, err);
    if (r >= 0)
        r = check_mounts(config, err);
    if (r >= 0)
        r = check_processes(config, err);
    if (r >= 0)
        r = check_slice(config, err);
    if (r >= 0)
        r = check_ports(config, err);
    if (r >= 0)
        warn(config, mtu_given);
    return r;
}
