#include "rootlesskit/options.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/base/cursor.h"
#include "lib/base/err.h"
#include "lib/base/str.h"
#include "rootlesskit/options_check.h"

#define MTU_MAX 65521 /* RootlessKit's bound: slirp4netns's largest */

/* In the order of the enums; options_parse() maps a name to its place. */
static const char *const net_names[] = {"host",        "none",         "gateway", "pasta",
                                        "slirp4netns", "lxc-user-nic", "auto",    NULL};
static const char *const port_names[] = {"none",        "implicit", "builtin",
                                         "slirp4netns", "pesto",    NULL};
_Static_assert(sizeof net_names / sizeof net_names[0] == NET_AUTO + 2, "a name a driver");
_Static_assert(sizeof port_names / sizeof port_names[0] == PORT_PESTO + 2, "a name a driver");
/* RootlessKit's other drivers. */
static const char *const nets_gone[] = {
    "vpnkit", "VPNKit is no longer maintained; use --net=gateway (or pasta, slirp4netns)",
    "gvisor-tap-vsock", "this rootlesskit has no gVisor in it; use --net=gateway, which is faster",
    NULL};
static const char *const ports_gone[] = {
    "gvisor-tap-vsock", "this rootlesskit has no gVisor in it; use --port-driver=builtin", "pasta",
    "did you mean \"pesto\"?", NULL};
static const char *const backends[] = {"auto", "nft", "iptables", NULL};
static const char *const subid_sources[] = {"auto", "dynamic", "static", NULL};
static const char *const auto_bool[] = {"auto", "true", "false", NULL};
static const char *const copy_up_modes[] = {"tmpfs+symlink", NULL};
static const char *const propagations[] = {"private", "rprivate", "shared", "rshared",
                                           "slave",   "rslave",   NULL};
static const char *const semver_parts[] = {"major", "minor", "patch", NULL};

#define FIELD(member) .offset = offsetof(struct rk_config, member)

static const struct cli_option table[] = {
    {"debug", 0, CLI_FLAG, FIELD(debug), .help = "say what is done, and when"},
    {"print-semver", 0, CLI_STRING, FIELD(print_semver), "PART",
     "print one part of the version: major, minor, patch", semver_parts},
    {"state-dir", 0, CLI_STRING, FIELD(state_dir), "DIR",
     "state directory (default: a new one in $TMPDIR)"},
    {"net", 0, CLI_STRING, FIELD(net), "DRIVER",
     "network driver: host, none, gateway, pasta, slirp4netns, lxc-user-nic, auto (default: host)",
     net_names, nets_gone},
    {"pasta-binary", 0, CLI_STRING, FIELD(pasta_binary), "PATH",
     "pasta for --net=pasta (default: pasta)"},
    {"slirp4netns-binary", 0, CLI_STRING, FIELD(slirp4netns_binary), "PATH",
     "slirp4netns for --net=slirp4netns (default: slirp4netns)"},
    {"slirp4netns-sandbox", 0, CLI_STRING, FIELD(slirp4netns_sandbox), "MODE",
     "slirp4netns's own sandbox: auto, true, false (default: false)", auto_bool},
    {"slirp4netns-seccomp", 0, CLI_STRING, FIELD(slirp4netns_seccomp), "MODE",
     "slirp4netns's own seccomp filter: auto, true, false (default: false)", auto_bool},
    {"lxc-user-nic-binary", 0, CLI_STRING, FIELD(lxc_user_nic_binary), "PATH",
     "lxc-user-nic for --net=lxc-user-nic (default: where the distribution has it)"},
    {"lxc-user-nic-bridge", 0, CLI_STRING, FIELD(lxc_user_nic_bridge), "NAME",
     "bridge for --net=lxc-user-nic (default: lxcbr0)"},
    {"vpnkit-binary", 0, CLI_STRING, FIELD(vpnkit_binary), "PATH",
     "ignored: there is no VPNKit driver any more"},
    {"mtu", 0, CLI_U32, FIELD(mtu), "BYTES",
     "MTU of the child's interface (default: 65520; 1500 for lxc-user-nic)", .min = 0,
     .max = MTU_MAX},
    {"cidr", 0, CLI_STRING, FIELD(cidr), "CIDR",
     "network of the child (default: " OPTIONS_CIDR_DEFAULT ")"},
    {"ifname", 0, CLI_STRING, FIELD(ifname), "NAME",
     "name of the child's interface (default: tap0; eth0 for lxc-user-nic)"},
    {"disable-host-loopback", 0, CLI_FLAG, FIELD(disable_host_loopback),
     .help = "the child cannot reach the host's 127.0.0.1 through the gateway address"},
    {"egress-allow", 0, CLI_LIST, FIELD(egress_allow), "CIDR[:PORTS]",
     "the child may reach this and nothing else of the host's network (gateway); may repeat",
     .whole = true},
    {"egress-deny", 0, CLI_LIST, FIELD(egress_deny), "CIDR[:PORTS]",
     "the child may not reach this, allowed or not (gateway); may repeat", .whole = true},
    {"ipv6", 0, CLI_SWITCH, FIELD(ipv6_wanted),
     .help = "IPv6 in the child: gateway (default: where the host has it), pasta, slirp4netns"},
    {"detach-netns", 0, CLI_FLAG, FIELD(detach_netns),
     .help = "the command stays in the host's network; the new one is STATE-DIR/netns"},
    {"copy-up", 0, CLI_LIST, FIELD(copy_up), "DIR",
     "make DIR writable: a tmpfs with links to its contents; may repeat"},
    {"copy-up-mode", 0, CLI_STRING, FIELD(copy_up_mode), "MODE", "how: tmpfs+symlink (default)",
     copy_up_modes},
    {"propagation", 0, CLI_STRING, FIELD(propagation), "MODE",
     "mount propagation: private, rprivate, shared, rshared, slave, rslave (default: rprivate)",
     propagations},
    {"port-driver", 0, CLI_STRING, FIELD(port_driver), "DRIVER",
     "port driver: none, implicit, builtin, slirp4netns, pesto (default: none)", port_names,
     ports_gone},
    {"pesto-binary", 0, CLI_STRING, FIELD(pesto_binary), "PATH",
     "pesto for --port-driver=pesto (default: pesto)"},
    {"publish", 'p', CLI_LIST, FIELD(publish), "SPEC",
     "publish a port: [PARENTIP:]PARENTPORT:[CHILDIP:]CHILDPORT/PROTO; may repeat"},
    {"publish-when-listening", 0, CLI_FLAG, FIELD(publish_when_listening),
     .help = "published TCP ports refuse while nothing in the child listens (builtin)"},
    {"port-handover", 0, CLI_STRING, FIELD(port_handover), "PORTS",
     "services get the host's own TCP sockets for these parent ports: 80,8000-8100, or all "
     "(builtin)"},
    {"source-ip-transparent", 0, CLI_FLAG, FIELD(source_ip_transparent),
     .help = "keep the client's address (--port-driver=builtin; default: true)"},
    {"source-ip-transparent-backend", 0, CLI_STRING, FIELD(source_ip_backend), "BACKEND",
     "how answers find back: auto, nft, iptables (default: auto)", backends},
    {"pidns", 0, CLI_FLAG, FIELD(pidns), .help = "new PID namespace"},
    {"cgroupns", 0, CLI_FLAG, FIELD(cgroupns), .help = "new cgroup namespace"},
    {"utsns", 0, CLI_FLAG, FIELD(utsns), .help = "new UTS namespace"},
    {"ipcns", 0, CLI_FLAG, FIELD(ipcns), .help = "new IPC namespace"},
    {"reaper", 0, CLI_STRING, FIELD(reaper), "MODE",
     "reap orphans as pid 1: auto (with --pidns), true, false", auto_bool},
    {"evacuate-cgroup2", 0, CLI_STRING, FIELD(evacuate_cgroup2), "NAME",
     "move the processes into a cgroup of this name, with --pidns and --cgroupns"},
    {"subid-source", 0, CLI_STRING, FIELD(subid_source), "SOURCE",
     "where sub-ids are: auto, dynamic (nsswitch.conf), static (the files) (default: auto)",
     subid_sources},
    {"subid-slice", 0, CLI_STRING, FIELD(subid_slice), "SLICE",
     "map a piece of the sub-ids only, and not the caller: OFFSET:COUNT, or auto (needs "
     "--state-dir)"},
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

int options_parse(struct rk_config *config, int argc, char **argv, struct err *err)
{
    *config = (struct rk_config){
        .net = "host",
        .pasta_binary = "pasta",
        .pesto_binary = "pesto",
        .slirp4netns_binary = "slirp4netns",
        .slirp4netns_sandbox = "false",
        .slirp4netns_seccomp = "false",
        .lxc_user_nic_bridge = "lxcbr0",
        .copy_up_mode = "tmpfs+symlink",
        .propagation = "rprivate",
        .port_driver = "none",
        .source_ip_transparent = true,
        .source_ip_backend = "auto",
        .reaper = "auto",
        .subid_source = "auto",
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
    r = options_check(config, err);
    return r < 0 ? r : CLI_PARSED;
}

void options_set_network(struct rk_config *config, enum net_kind kind)
{
    config->net_kind = kind;
    config->net = net_names[kind];
}

void options_free(struct rk_config *config)
{
    free(config->ports);
    config->ports = NULL;
    free(config->egress);
    config->egress = NULL;
}
