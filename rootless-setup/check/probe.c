#include "rootless-setup/check/probe.h"

#include "lib/base/str.h"

const struct check_probe check_probes[] = {
    {"userns", "user namespace", probe_userns, {NULL}, FOR_ALL, false},
    {"namespaces", "other namespaces", probe_namespaces, {"userns"}, FOR_ALL, false},
    {"proc", "proc in a pid namespace", probe_proc, {"namespaces"}, FOR_ALL, false},
    {"syscalls", "system calls", probe_syscalls, {"userns"}, FOR_ALL, false},
    {"where", "outer system", probe_where, {NULL}, FOR_ALL, false},
    {"security", "security modules", probe_security, {NULL}, FOR_ALL, false},
    {"subid", "subordinate ids", probe_subid, {NULL}, FOR_ALL, true},
    {"newuidmap", "newuidmap", probe_newuidmap, {"userns"}, FOR_ALL, true},
    {"newgidmap", "newgidmap", probe_newgidmap, {"userns"}, FOR_ALL, true},
    {"runtime-dir", "XDG_RUNTIME_DIR", probe_runtime_dir, {NULL}, FOR_ALL, false},
    {"cleaner", "cleaner of old files", probe_cleaner, {NULL}, FOR_ALL, false},
    {"bus", "user's D-Bus", probe_bus, {"runtime-dir"}, FOR_SYSTEMD, false},
    {"scope", "systemd scope", probe_scope, {"runtime-dir"}, FOR_SYSTEMD, false},
    {"linger", "services after logout", probe_linger, {NULL}, FOR_ALL, true},
    {"data-dir", "directory of images", probe_data_dir, {NULL}, FOR_ALL, false},
    {"ids",
     "files of mapped ids",
     probe_ids,
     {"newuidmap", "newgidmap", "data-dir"},
     FOR_ALL,
     false},
    {"storage", "owners of images", probe_storage, {NULL}, FOR_ALL, false},
    {"detach", "removing mount points", probe_detach, {"userns", "data-dir"}, FOR_ALL, false},
    {"hidepid", "visible processes", probe_hidepid, {NULL}, FOR_ALL, false},
    {"tools", "tools of the system", probe_tools, {NULL}, FOR_DAEMONS, true},
    {"engine", "engine's programs", probe_engine, {NULL}, FOR_ALL, true},
    {"units", "user's services", probe_units, {NULL}, FOR_ALL, true},
    {"context", "docker's context", probe_context, {NULL}, FOR_DOCKER, false},
    {"state", "left-over state", probe_state, {"runtime-dir"}, FOR_DAEMONS, false},
    {"podman", "podman's state", probe_podman, {NULL}, FOR_PODMAN, false},
    {"rootful", "root's Docker", probe_rootful, {NULL}, FOR_DOCKER, false},
    {"overlay", "overlay file system", probe_overlay, {"userns"}, FOR_ALL, false},
    {"fuse", "fuse-overlayfs", probe_fuse, {NULL}, FOR_ALL, false},
    {"cgroup", "cgroup v2", probe_cgroup, {NULL}, FOR_ALL, false},
    {"propagation", "mount propagation", probe_propagation, {NULL}, FOR_ALL, false},
    {"keys", "kernel keyring", probe_keys, {NULL}, FOR_ALL, false},
    {"inotify", "inotify", probe_inotify, {NULL}, FOR_NETWORKS, false},
    {"limits", "resource limits", probe_limits, {NULL}, FOR_ALL, false},
    {"net.tun", "tun device", probe_tun, {"namespaces"}, FOR_ALL, false},
    {"net.veth", "veth pair", probe_veth, {"namespaces"}, FOR_ALL, false},
    {"net.bridge", "bridge", probe_bridge, {"namespaces", "net.veth"}, FOR_NETWORKS, false},
    {"net.vxlan", "VXLAN", probe_vxlan, {"namespaces"}, FOR_K3S, false},
    {"net.nat", "nf_tables NAT", probe_nat, {"namespaces"}, FOR_ALL, false},
    {"net.iptables", "iptables", probe_iptables, {"namespaces"}, FOR_DAEMONS, false},
    {"net.tproxy",
     "nf_tables tproxy",
     probe_tproxy,
     {"namespaces", "net.nat"},
     FOR_DAEMONS | FOR_BUILDKIT,
     false},
    {"net.rule", "policy routing", probe_rule, {"namespaces"}, FOR_DAEMONS | FOR_BUILDKIT, false},
    {"net.forward", "IP forwarding", probe_forward, {"namespaces"}, FOR_NETWORKS, false},
    {"net.k3s", "k3s' network", probe_k3s, {"namespaces"}, FOR_K3S, false},
    {"net.pasta", "pasta", probe_pasta, {"namespaces", "net.tun"}, FOR_PODMAN, false},
    {"net.slirp4netns",
     "slirp4netns",
     probe_slirp4netns,
     {"namespaces", "net.tun"},
     FOR_PODMAN | FOR_K3S,
     false},
    {"net.route", "10.0.2.0/24 is free", probe_route, {NULL}, FOR_ALL & ~FOR_K3S, false},
    {"net.dns", "name servers", probe_dns, {NULL}, FOR_ALL, false},
    {"net.ping", "ping", probe_ping, {NULL}, FOR_ALL, false},
    {"net.ports", "ports below 1024", probe_ports, {NULL}, FOR_ALL, false},
};

const size_t check_probes_count = sizeof check_probes / sizeof check_probes[0];

_Static_assert(sizeof check_probes / sizeof check_probes[0] <= PROBES_MAX, "one result a probe");

int check_probe_index(const char *id)
{
    for (size_t i = 0; i < check_probes_count; i++)
        if (str_equal(check_probes[i].id, id))
            return (int)i;
    return -1;
}

bool check_probe_concerns(const struct check_probe *probe, enum check_engine engine)
{
    return engine == ENGINE_ANY || (probe->engines & (1U << engine)) != 0;
}
