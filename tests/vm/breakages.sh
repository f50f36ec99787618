#!/bin/bash
# Breakages of a machine, as tests/integration/check/breakages.sh has them, that take this kernel: its own
# switches, its modules, cgroup v2 with controllers, limits that are the whole machine's.
set -eu
# shellcheck source=../integration/check/common.sh
. "$SOURCE_ROOT/tests/integration/check/common.sh"
# shellcheck source=../integration/check/breakage.sh
. "$SOURCE_ROOT/tests/integration/check/breakage.sh"
export as_root=1

# shellcheck disable=SC2016,SC2034 # evaluated on the broken machine; read there
table() {
    breakage "Debian's switch of user namespaces" userns failed "kernel.unprivileged_userns_clone is 0" \
        "kernel.unprivileged_userns_clone = 1" 'setting kernel.unprivileged_userns_clone 0'
    breakage "no user namespaces allowed" userns failed "user.max_user_namespaces is 0" "user.max_user_namespaces = 28633" \
        'setting user.max_user_namespaces 0'

    # What the kernel would load by itself, where that is switched off.
    breakage "no module of overlay" overlay failed "no overlay file system" "modprobe -a overlay" 'without_modules overlay'
    breakage "no module of veth" net.veth failed "veth" "modprobe -a veth" 'without_modules veth'
    breakage "no module of vxlan" net.vxlan hint "its modules (vxlan) are not loaded" "modprobe -a vxlan" 'without_modules vxlan'
    breakage "no module of tun" net.tun failed "the tun module is not loaded" "modprobe -a tun" 'without_modules tun'
    breakage "no modules of tproxy" net.tproxy failed "its modules (nft_tproxy nft_socket) are not loaded" \
        "modprobe -a nft_tproxy nft_socket" 'without_modules nft_tproxy nft_socket'
    breakage "no module of masquerading" net.nat failed "its modules (nf_tables nft_chain_nat nft_masq) are not loaded" \
        "modprobe -a nf_tables" 'without_modules nft_masq'
    breakage "no modules of iptables" net.iptables warning "a module that Docker's and CNI's networks need" \
        "modprobe -a nf_tables nft_compat" 'without_modules xt_MASQUERADE xt_addrtype xt_conntrack nft_compat'
    untried="what needs it can be tried only then, and lacks its modules too" also=net.iptables breakage "no nf_tables at all" net.nat failed "are not loaded" "modprobe -a nf_tables" \
        'without_modules nft_masq nft_chain_nat nft_tproxy nft_socket nft_compat nf_tables'

    # cgroup v2, as systemd makes it for a user.
    machine=delegated breakage "a cgroup that is not hers" cgroup warning "nobody delegated a cgroup" "belongs to the user" \
        'chown -R 0:0 "$manager"'
    machine=delegated breakage "no controllers for her cgroup" cgroup warning "not delegated: cpu memory pids" "cgroup.subtree_control" \
        'echo "-cpu -memory -pids -cpuset -io" >"${manager%/*}/cgroup.subtree_control"'
    machine=delegated breakage "no cpuset for her cgroup" cgroup hint "not delegated: cpuset" "cgroup.subtree_control" \
        'echo "-cpuset" >"${manager%/*}/cgroup.subtree_control"'

    # Shares of the whole machine, which stay used up until the limit is higher.
    machine='keep kernel.keys.maxkeys kernel.keys.maxbytes' breakage "no keyrings left" keys failed "share is used up" \
        "kernel.keys.maxkeys = 20000" 'holding "$all_keyrings"'
    machine='keep kernel.keys.maxkeys kernel.keys.maxbytes; sysctl -qw kernel.keys.maxkeys=20500 kernel.keys.maxbytes=9000000' \
        breakage "no keyrings left of many" keys failed "share is used up" "kernel.keys.maxkeys = 41000" 'holding "$all_keyrings"'
    machine='keep fs.inotify.max_user_instances fs.inotify.max_user_watches' breakage "no inotify instances left" inotify \
        warning "max_user_instances" "fs.inotify.max_user_instances = 1024" 'holding "$all_inotify"'
}

table
breakages_done
