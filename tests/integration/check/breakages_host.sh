#!/bin/bash
# As breakages.sh, for what is the machine's: where images are kept, devices, limits, the network.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source-path=SCRIPTDIR source=breakage.sh
. "$(dirname "$0")/breakage.sh"
command -v sudo >/dev/null || skip_all "no sudo"

# shellcheck disable=SC2016,SC2034 # evaluated on the broken machine; read there
table() {
    # Where images are kept.
    also=data-dir breakage "a home that is not writable" overlay failed "EACCES" "install -d -m 0700 -o 47101" 'chmod 500 "$work/home-alice"'
    also=data-dir breakage "a home of root's" overlay failed "EACCES" "install -d -m 0700 -o 47101" 'chown 0:0 "$work/home-alice"'
    also=data-dir breakage "no home" overlay failed "ENOENT" "install -d -m 0700 -o 47101" 'rmdir "$work/home-alice"'
    also=data-dir breakage "a read-only home" overlay failed "EROFS" "mount it writable" 'home_on -o ro tmpfs'
    also=data-dir breakage "a home that is full" overlay failed "ENOSPC" "free some space" 'home_on -o nr_inodes=3 tmpfs'
    breakage "a home that is nearly full" data-dir warning "MiB" "free some space" 'home_on -o size=16m tmpfs'
    breakage "a home mounted noexec" data-dir failed "noexec" "without noexec" 'home_on -o noexec,size=2g tmpfs'
    untried="installs a package" breakage "a home on overlay" overlay failed "is on overlay" "data-root" 'home_on_overlay'
    machine='show fuse-overlayfs' breakage "a home on overlay, and fuse-overlayfs" overlay warning "is on overlay" "takes its place" 'home_on_overlay'
    machine='show fuse-overlayfs' breakage "/dev/fuse with mode 0600" fuse hint "EACCES" "chmod 0666 /dev/fuse" 'chmod 600 /dev/fuse'

    # The machine.
    breakage "hidepid" hidepid warning "hidepid" "mount -o remount,hidepid=0 /proc" 'mount -t proc -o hidepid=2 proc /proc'
    breakage "no nsenter" tools warning "nsenter" "package util-linux" 'hide nsenter'
    breakage "no cgroup mount" cgroup failed "no cgroup file system is mounted" "mount -t cgroup2" 'umount -R -l /sys/fs/cgroup'
    breakage "/ that is not shared" propagation hint "not a shared mount" "mount --make-rshared /" 'mount --make-rprivate /'
    untried="kernel.keys is the whole machine's" breakage "no keyrings left" keys failed "share is used up" "kernel.keys.maxkeys = 20000" 'holding "$all_keyrings"'
    also=syscalls breakage "a container's filter of keyrings" keys hint "a seccomp filter or security module refuses keyrings" "" \
        'within=("$python" -IS "$SOURCE_ROOT/tests/integration/check/refuse.py" keyctl EPERM)'
    untried="fs.inotify is the whole machine's" breakage "no inotify instances left" inotify warning "max_user_instances" "fs.inotify.max_user_instances = 1024" \
        'holding "$all_inotify"'
    breakage "few open files" limits warning "512 open files" "log in anew" 'within=(prlimit --nofile=512:512)'
    breakage "few processes" limits warning "200 processes" "log in anew" 'within=(prlimit --nproc=200:200)'
    untried="no systemd runs here" breakage "a Docker of root's that takes the user" rootful hint "as good as being root" "systemctl disable --now docker" \
        'docker_of_root'

    # The network.
    breakage "/dev/net/tun with mode 0600" net.tun failed "EACCES" "chmod 0666 /dev/net/tun" 'chmod 600 /dev/net/tun'
    breakage "no /dev/net/tun" net.tun failed "ENOENT" "mknod -m 0666 /dev/net/tun c 10 200" 'mount -t tmpfs tmpfs /dev/net'
    breakage "a container's devices without tun" net.tun failed "EPERM" "--device /dev/net/tun" 'without_tun'
    untried="installs a package" breakage "no iptables" net.iptables warning "no iptables in" "iptables" 'hide iptables'
    untried="loads modules" breakage "iptables without its modules" net.iptables warning "is not loaded" "modprobe -a ip_tables" 'legacy_iptables'
    untried="loads modules" breakage "ip6tables without its modules" net.iptables warning "with ip6tables in a network namespace: rltest" "modprobe -a ip6_tables" \
        'stub ip6tables "[ \"\$1\" = --version ] && echo legacy || { echo rltest; exit 3; }"'
    also=proc breakage "a container's read-only /proc/sys" net.forward warning "read-only, as in a container" "systempaths=unconfined" \
        'mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys'
    breakage "a LAN of 10.0.2.0/24" net.route hint "10.0.2.0/24 on rltest" "--cidr" 'a_lan; ip addr add 10.0.2.15/24 dev rltest'
    breakage "a VPN of 10.0.0.0/8" net.route hint "10.0.0.0/8 on rltest" "--cidr" 'a_lan; ip route add 10.0.0.0/8 dev rltest'
    breakage "no ping" net.ping hint "net.ipv4.ping_group_range" "net.ipv4.ping_group_range = 0 2147483647" 'echo "1 0" >/proc/sys/net/ipv4/ping_group_range'
    breakage "no low ports" net.ports hint "ip_unprivileged_port_start" "net.ipv4.ip_unprivileged_port_start = 80" \
        'echo 1024 >/proc/sys/net/ipv4/ip_unprivileged_port_start'
}

table
breakages_done
