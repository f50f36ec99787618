#include "rootlesskit/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"

#define MTU_MAX 65521 /* RootlessKit's bound: slirp4netns's largest */
#define MTU_DEFAULT 65520
#define IFNAME_DEFAULT "tap0"
#define CIDR_DEFAULT "10.0.2.0/24"
/* Offsets of the fixed hosts in the network, the same as slirp4netns's and RootlessKit's. */
#define HOST_GATEWAY 2
#define HOST_DNS 3
#define HOST_CHILD 100

/* In the order of the enums; options_parse() maps a name to its place. */
static const char *const net_names[] = {"host", "none", "slirp4netns", "gateway", NULL};
static const char *const port_names[] = {"none", "builtin", NULL};
static const char *const auto_bool[] = {"auto", "true", "false", NULL};
static const char *const copy_up_modes[] = {"tmpfs+symlink", NULL};
static const char *const propagations[] = {"private", "rprivate", "shared", "rshared",
                                           "slave",   "rslave",   NULL};
static const char *const semver_parts[] = {"major", "minor", "patch", NULL};

#define FIELD(member) .offset = offsetof(struct rk_config, member)

static const struct cli_option table[] = {
    {"debug", 0, CLI_FLAG, FIELD(debug), .help = "print debug messages"},
    {"print-semver", 0, CLI_STRING, FIELD(print_semver), "PART",
     "print one part of the version: major, minor, patch", semver_parts},
    {"state-dir", 0, CLI_STRING, FIELD(state_dir), "DIR",
     "state directory (default: a new one in $TMPDIR)"},
    {"net", 0, CLI_STRING, FIELD(net), "DRIVER",
     "network driver: host, none, slirp4netns, gateway (default: host)", net_names},
    {"slirp4netns-binary", 0, CLI_STRING, FIELD(slirp4netns_binary), "PATH",
     "slirp4netns for --net=slirp4netns (default: slirp4netns)"},
    {"slirp4netns-sandbox", 0, CLI_STRING, FIELD(slirp4netns_sandbox), "MODE",
     "slirp4netns's own sandbox: auto, true, false (default: false)", auto_bool},
    {"slirp4netns-seccomp", 0, CLI_STRING, FIELD(slirp4netns_seccomp), "MODE",
     "slirp4netns's own seccomp filter: auto, true, false (default: false)", auto_bool},
    {"mtu", 0, CLI_U32, FIELD(mtu), "BYTES", "MTU of the child's interface (default: 65520)",
     .min = 0, .max = MTU_MAX},
    {"cidr", 0, CLI_STRING, FIELD(cidr), "CIDR",
     "network of the child (default: " CIDR_DEFAULT ")"},
    {"ifname", 0, CLI_STRING, FIELD(ifname), "NAME",
     "name of the child's interface (default: " IFNAME_DEFAULT ")"},
    {"disable-host-loopback", 0, CLI_FLAG, FIELD(disable_host_loopback),
     .help = "the child cannot reach the host's 127.0.0.1 through the gateway address"},
    {"copy-up", 0, CLI_LIST, FIELD(copy_up), "DIR",
     "make DIR writable: a tmpfs with links to its contents; may repeat"},
    {"copy-up-mode", 0, CLI_STRING, FIELD(copy_up_mode), "MODE", "how: tmpfs+symlink (default)",
     copy_up_modes},
    {"propagation", 0, CLI_STRING, FIELD(propagation), "MODE",
     "mount propagation: private, rprivate, shared, rshared, slave, rslave (default: rprivate)",
     propagations},
    {"port-driver", 0, CLI_STRING, FIELD(port_driver), "DRIVER",
     "port driver: none, builtin (default: none)", port_names},
    {"publish", 'p', CLI_LIST, FIELD(publish), "SPEC",
     "publish a port: [PARENTIP:]PARENTPORT:[CHILDIP:]CHILDPORT/PROTO; may repeat"},
    {"pidns", 0, CLI_FLAG, FIELD(pidns), .help = "new PID namespace"},
    {"cgroupns", 0, CLI_FLAG, FIELD(cgroupns), .help = "new cgroup namespace"},
    {"utsns", 0, CLI_FLAG, FIELD(utsns), .help = "new UTS namespace"},
    {"ipcns", 0, CLI_FLAG, FIELD(ipcns), .help = "new IPC namespace"},
    {"reaper", 0, CLI_STRING, FIELD(reaper), "MODE",
     "reap orphans as pid 1: auto (with --pidns), true, false", auto_bool},
};

static const struct cli_program program = {
    .name = "rootlesskit",
    .usage = "rootlesskit [OPTION]... [--] COMMAND [ARG]...",
    .summary =
        "Runs COMMAND as root of a new user namespace, with the caller's subordinate ids, its own\n"
        "mounts and, if wanted, its own network with published ports.",
    .options = table,
    .n_options = sizeof table / sizeof table[0],
    .epilog = "Examples:\n"
              "  rootlesskit bash\n"
              "  rootlesskit --net=gateway --copy-up=/etc --port-driver=builtin \\\n"
              "      -p 127.0.0.1:8080:80/tcp bash\n"
              "The command's exit status is passed on; 255 when a signal ended it, 1 when it could "
              "not start.\n"
              "If something is missing on this host, `rootless-setup check` says what and how to "
              "mend it.",
};

static int print_semver(const char *part)
{
    struct cursor c = cursor_of(ROOTLESS_VERSION);
    for (int i = 0; semver_parts[i]; i++) {
        uint64_t value = 0;
        (void)cursor_u64(&c, 10, UINT32_MAX, &value);
        (void)cursor_char(&c, '.');
        if (str_equal(part, semver_parts[i]))
            printf("%llu\n", (unsigned long long)value);
    }
    return CLI_PARSED_EXIT;
}

static int parse_cidr(struct rk_config *config, struct err *err)
{
    const char *text = config->cidr;
    char address[INET_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    uint32_t prefix = 0;
    struct in_addr network = {0};
    if (!slash || str_format(address, sizeof address, "%.*s", (int)(slash - text), text) < 0 ||
        inet_pton(AF_INET, address, &network) != 1)
        return err_set(err, EINVAL, "--cidr: \"%s\" is not an IPv4 network like " CIDR_DEFAULT,
                       text);
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

static int check_network(struct rk_config *config, struct err *err)
{
    bool isolated = config->net_kind == NET_SLIRP4NETNS || config->net_kind == NET_GATEWAY;
    if (!isolated && config->cidr)
        return err_set(err, EINVAL, "--cidr cannot be used with --net=%s", config->net);
    if (!isolated && config->ifname)
        return err_set(err, EINVAL, "--ifname cannot be used with --net=%s", config->net);
    if (!config->cidr)
        config->cidr = CIDR_DEFAULT;
    if (!config->ifname)
        config->ifname = IFNAME_DEFAULT;
    if (config->mtu == 0)
        config->mtu = MTU_DEFAULT;
    size_t len = strlen(config->ifname);
    if (len == 0 || len >= IF_NAMESIZE || strpbrk(config->ifname, "/: \t\n") ||
        str_equal(config->ifname, ".") || str_equal(config->ifname, ".."))
        return err_set(
            err, EINVAL,
            "--ifname: \"%s\" is no interface name (1 to %d characters, no '/', ':' or blank)",
            config->ifname, IF_NAMESIZE - 1);
    return parse_cidr(config, err);
}

static int check_ports(struct rk_config *config, struct err *err)
{
    if (config->port_kind == PORT_BUILTIN && config->net_kind == NET_HOST)
        return err_set(err, EINVAL,
                       "--port-driver=builtin needs a network of its own: add --net=gateway, "
                       "slirp4netns or none");
    if (config->publish.n > 0 && config->port_kind == PORT_NONE)
        return err_set(err, EINVAL, "--publish needs a port driver: add --port-driver=builtin");
    if (config->publish.n == 0)
        return 0;
    config->ports = calloc(config->publish.n, sizeof *config->ports);
    if (!config->ports)
        return err_set(err, ENOMEM, "no memory for %zu ports", config->publish.n);
    for (size_t i = 0; i < config->publish.n; i++) {
        int r = port_spec_parse(config->publish.items[i], &config->ports[i], err);
        if (r < 0)
            return err_wrap(err, r, "--publish");
        config->n_ports++;
    }
    return 0;
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

static int check_reaper(struct rk_config *config, struct err *err)
{
    if (str_equal(config->reaper, "true") && !config->pidns)
        return err_set(err, EINVAL, "--reaper=true needs --pidns");
    config->reap = config->pidns && !str_equal(config->reaper, "false");
    return 0;
}

int options_parse(struct rk_config *config, int argc, char **argv, struct err *err)
{
    *config = (struct rk_config){
        .net = "host",
        .slirp4netns_binary = "slirp4netns",
        .slirp4netns_sandbox = "false",
        .slirp4netns_seccomp = "false",
        .copy_up_mode = "tmpfs+symlink",
        .propagation = "rprivate",
        .port_driver = "none",
        .reaper = "auto",
    };
    int first = 0;
    int r = cli_parse(&program, argc, argv, config, &first, err);
    if (r != CLI_PARSED)
        return r;
    if (config->print_semver)
        return print_semver(config->print_semver);
    if (first >= argc)
        return err_set(err, EINVAL, "no command specified (rootlesskit --help shows the usage)");
    config->command = argv + first;
    config->net_kind = (enum net_kind)str_index(net_names, config->net);
    config->port_kind = (enum port_kind)str_index(port_names, config->port_driver);
    r = check_network(config, err);
    if (r >= 0)
        r = check_mounts(config, err);
    if (r >= 0)
        r = check_reaper(config, err);
    if (r >= 0)
        r = check_ports(config, err);
    return r < 0 ? r : CLI_PARSED;
}

void options_free(struct rk_config *config)
{
    free(config->ports);
    config->ports = NULL;
}
