#!/bin/bash
# What is broken in one place of a machine is named, explained and remedied by check, mended by fix
# where it can, and by pasting what check prints; breakage.sh says how. Here: namespaces and ids.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source-path=SCRIPTDIR source=breakage.sh
. "$(dirname "$0")/breakage.sh"
command -v sudo >/dev/null || skip_all "no sudo"

# shellcheck disable=SC2016,SC2034 # evaluated on the broken machine; read there
table() {
    local own_limits='in_userns "0 0 4294967295"'

    # User namespaces.
    also=propagation breakage "a chroot" userns failed "chroot" "outside the chroot" 'chrooted'
    breakage "a container's seccomp filter" userns failed "a seccomp filter is on this process" "seccomp=unconfined" \
        'within=("$python" -IS "$SOURCE_ROOT/tests/integration/check/refuse.py" unshare EPERM)'
    machine=$own_limits breakage "no user namespaces allowed" userns failed "user.max_user_namespaces is 0" \
        "user.max_user_namespaces = 28633" 'limit max_user_namespaces 0'
    machine=$own_limits breakage "all user namespaces in use" userns failed "user.max_user_namespaces is 1 and used up" \
        "user.max_user_namespaces = 28633" 'holding "import ctypes; ctypes.CDLL(None).unshare(0x10000000)"; limit max_user_namespaces 1'
    machine=$own_limits breakage "no mount namespaces allowed" userns failed "user.max_mnt_namespaces" "sysctl user" \
        'limit max_mnt_namespaces 0'
    machine=$own_limits breakage "no pid namespaces allowed" namespaces failed "user.max_pid_namespaces is 0" \
        "user.max_pid_namespaces = 28633" 'limit max_pid_namespaces 0'
    machine=$own_limits breakage "no network namespaces allowed" namespaces failed "user.max_net_namespaces is 0" \
        "user.max_net_namespaces = 28633" 'limit max_net_namespaces 0'
    machine=$own_limits breakage "no cgroup namespaces allowed" namespaces warning "--cgroupns=private" \
        "user.max_cgroup_namespaces = 28633" 'limit max_cgroup_namespaces 0'
    breakage "a container's filter of newer calls" syscalls warning "refused: mount_setattr" "seccomp=unconfined" \
        'within=("$python" -IS "$SOURCE_ROOT/tests/integration/check/refuse.py" mount_setattr EPERM)'
    breakage "a container's covered /proc" proc failed "parts of /proc are covered" "systempaths=unconfined" \
        'mount -t tmpfs -o ro tmpfs /proc/irq'

    # Subordinate ids.
    breakage "no subordinate uids" subid failed "no subordinate uids in /etc/subuid" "subid add rltest-alice" ': >/etc/subuid'
    breakage "no subordinate gids" subid failed "no subordinate gids in /etc/subgid" "subid add rltest-alice" ': >/etc/subgid'
    breakage "no files of subordinate ids" subid failed "no subordinate uids in /etc/subuid" "subid add" 'rm /etc/subuid /etc/subgid'
    breakage "a short range" subid failed "has 1000 subordinate uids" "subid add" 'ranges "rltest-alice:3000000:1000"'
    breakage "a range that is somebody else's by one id" subid failed "3000000:65536 in /etc/subuid overlaps rltest-bob's 3065535:65536" \
        "subid del rltest-alice" 'ranges "$good" "rltest-bob:3065535:65536"'
    breakage "a range that is a numeric owner's" subid failed "overlaps 47102's 2990000:10001" "subid del" 'ranges "$good" "47102:2990000:10001"'
    also="newuidmap newgidmap" breakage "ranges that overlap each other" subid failed "own ranges 3000000:65536 and 3010000:10" "subid del" \
        'ranges "$good" "rltest-alice:3010000:10"'
    breakage "a range with another account's id" subid failed "contains rltest-bob's id 47102" "subid del" 'ranges "$good" "rltest-alice:47102:10"'
    breakage "a range with the user's own id" subid warning "the user's own id 47101" "subid del" 'ranges "rltest-alice:47101:1" "$good"'
    breakage "fewer uids than gids" subid warning "the number of uids and gids differs" "subid del" 'echo "rltest-alice:3000000:70000" >/etc/subgid'
    also="newuidmap newgidmap" breakage "a directory service that is not installed" subid failed "rltestnone" "nsswitch.conf" \
        'echo "subid: rltestnone" >>/etc/nsswitch.conf'

    # newuidmap and newgidmap.
    breakage "newuidmap without its capability" newuidmap failed "neither the file capability cap_setuid" "setcap cap_setuid=ep" 'setcap -r "$bin/newuidmap"'
    machine=of_package breakage "a newuidmap that apt will remove" newuidmap warning "the next apt autoremove takes /usr/bin/newuidmap away" \
        "apt-mark manual uidmap" 'sed -i "s/: 0/: 1/" /var/lib/apt/extended_states'
    breakage "newgidmap without its capability" newgidmap failed "neither the file capability cap_setgid" "setcap cap_setgid=ep" 'setcap -r "$bin/newgidmap"'
    breakage "a setuid newuidmap that is not root's" newuidmap failed "the setuid bit of another user" "setcap cap_setuid=ep" \
        'setcap -r "$bin/newuidmap"; chown $bob "$bin/newuidmap"; chmod 4755 "$bin/newuidmap"'
    untried="installs a package" also=newgidmap breakage "no newuidmap" newuidmap failed "no newuidmap in" "uidmap" 'rm "$bin"/new*idmap; hide newuidmap newgidmap'
    breakage "a script in newuidmap's place" newuidmap failed "is a script" "put the real newuidmap first" 'stub newuidmap "exit 1"'
    breakage "a newuidmap that lies" newuidmap failed "the map is not what was asked" "put the real newuidmap first" 'stub newuidmap "exit 0"'
    breakage "a newuidmap that hangs" newuidmap failed "what it tries hangs" "rootless-setup check newuidmap" 'stub newuidmap "exec sleep 1000"'
    also=newgidmap breakage "no_new_privs" newuidmap failed "no_new_privs is set" "without no_new_privs" 'session=(--no-new-privs)'
    breakage "newuidmap on a nosuid mount" newuidmap failed "mounted nosuid" "without nosuid" \
        'mount -t tmpfs -o nosuid,mode=755 tmpfs "$work/stub"; cp "$bin/newuidmap" "$work/stub/"; setcap cap_setuid+ep "$work/stub/newuidmap"; path=$work/stub:$path'
    breakage "a bounding set without CAP_SETUID" newuidmap failed "not in the capability bounding set" "with cap_setuid" 'session=(--bounding-set -setuid)'
    also=newgidmap breakage "a container without the ids" newuidmap failed "this system runs in a user namespace" "/proc/self/uid_map" 'in_userns "0 0 100000"'
}

table
breakages_done
