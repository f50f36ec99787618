#include "rootless-setup/check/probe.h"

#include "lib/base/str.h"

const struct check_probe check_probes[] = {
    {"userns", "user namespace", probe_userns, {NULL}},
    {"proc", "proc in a pid namespace", probe_proc, {"userns"}},
    {"subid", "subordinate ids", probe_subid, {NULL}},
    {"newuidmap", "newuidmap", probe_newuidmap, {"userns"}},
    {"newgidmap", "newgidmap", probe_newgidmap, {"userns"}},
    {"runtime-dir", "XDG_RUNTIME_DIR", probe_runtime_dir, {NULL}},
    {"bus", "user's D-Bus", probe_bus, {"runtime-dir"}},
    {"linger", "services after logout", probe_linger, {NULL}},
    {"data-dir", "directory of images", probe_data_dir, {NULL}},
    {"hidepid", "visible processes", probe_hidepid, {NULL}},
    {"tools", "tools of the system", probe_tools, {NULL}},
    {"state", "left-over state", probe_state, {"runtime-dir"}},
    {"rootful", "root's Docker", probe_rootful, {NULL}},
    {"overlay", "overlay file system", probe_overlay, {"userns"}},
    {"fuse", "fuse-overlayfs", probe_fuse, {NULL}},
    {"cgroup", "cgroup v2", probe_cgroup, {NULL}},
    {"propagation", "mount propagation", probe_propagation, {NULL}},
    {"keys", "kernel keyring", probe_keys, {NULL}},
    {"inotify", "inotify", probe_inotify, {NULL}},
    {"limits", "resource limits", probe_limits, {NULL}},
    {"net.tun", "tun device", probe_tun, {"userns"}},
    {"net.veth", "veth pair", probe_veth, {"userns"}},
    {"net.nat", "nf_tables NAT", probe_nat, {"userns"}},
    {"net.iptables", "iptables", probe_iptables, {"userns"}},
    {"net.tproxy", "nf_tables tproxy", probe_tproxy, {"userns", "net.nat"}},
    {"net.rule", "policy routing", probe_rule, {"userns"}},
    {"net.forward", "IP forwarding", probe_forward, {"userns"}},
    {"net.route", "10.0.2.0/24 is free", probe_route, {NULL}},
    {"net.ping", "ping", probe_ping, {NULL}},
    {"net.ports", "ports below 1024", probe_ports, {NULL}},
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
