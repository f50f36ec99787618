#!/bin/bash
# What is wrong with a host, its kernel, its helpers and its storage, each thing broken for real.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

ranges "rltest-alice:3000000:65536"

check namespaces syscalls where security ids storage detach net.bridge net.vxlan net.dns
for id in namespaces syscalls security ids storage detach net.vxlan net.dns; do
    expect "everything in order: $id" "$rc" "$id" ok ""
done
like "... and the host is ready" "$rc" 0

# A user namespace with the ids of this one has limits of its own.
ranges "rltest-alice:3000000:65536" "root:0:4000000"
limited() { # LIMIT ID...
    local limit=$1
    shift
    # shellcheck disable=SC2016
    run unshare --user --map-users=0,0,4000000 --map-groups=0,0,4000000 sh -c \
        'echo 0 >"/proc/sys/user/$1" && shift && exec "$@"' sh "$limit" \
        env PATH="$path" "$setup" check --json --user rltest-alice "$@"
}
limited max_net_namespaces namespaces
if grep -q '"ENOSPC"' <<<"$out"; then
    expect "no network namespace" 1 namespaces failed "user.max_net_namespaces is 0" \
        "user.max_net_namespaces = 28633"
    limited max_cgroup_namespaces namespaces
    expect "no cgroup namespace: a loss" 0 namespaces warning "--cgroupns=private"
    if [ -e /proc/sys/user/max_time_namespaces ]; then
        limited max_time_namespaces namespaces
        expect "no time namespace: nobody's" 0 namespaces hint "checkpoint"
    else
        skip "no time namespace: nobody's" "this kernel has none"
    fi
else
    skip "limits of namespaces" "they cannot be set here: $err"
fi
ranges "rltest-alice:3000000:65536"

# A filter of system calls, as an outer engine has one: these are refused, or end the process.
filtered() { # CALLS ERRNO|kill ID...: check runs below the filter
    run "$python" -IS "$SOURCE_ROOT/tests/integration/check/refuse.py" "$1" "$2" \
        "$(command -v env)" PATH="$path" "$setup" check --json --user rltest-alice "${@:3}"
}
filtered clone3,openat2 EPERM syscalls
expect "calls that a filter refuses" 0 syscalls warning "refused: clone3, openat2" "seccomp=unconfined"
filtered pivot_root EPERM syscalls
expect "one without which no container starts" 1 syscalls failed "refused: pivot_root"
filtered keyctl,openat2 kill syscalls
expect "a filter that kills" 0 syscalls warning "refused: keyctl, openat2"

within() { # SCRIPT ID...: check runs in a mount namespace that SCRIPT has changed
    local script=$1
    shift
    run unshare -m sh -c "$script"' && exec "$@"' sh env PATH="$path" "$setup" check --json --user rltest-alice "$@"
}
within 'mount -t tmpfs tmpfs /run && mkdir /run/systemd && echo lxc >/run/systemd/container' where
expect "in LXC" 0 where hint "in a container (lxc)" "security.nesting=true"
within 'mount -t tmpfs tmpfs /run && : >/run/.containerenv' where
expect "in podman" 0 where hint "in a container (podman)" "systempaths=unconfined"
if [ -d /sys/kernel/security ]; then
    within 'mount -t tmpfs tmpfs /sys/kernel/security && echo "lockdown,yama" >/sys/kernel/security/lsm &&
        echo "none integrity [confidentiality]" >/sys/kernel/security/lockdown' security
    expect "a kernel that is locked down" 0 security hint "locked down: confidentiality"
else
    skip "a kernel that is locked down" "no /sys/kernel/security here"
fi

# A mount that knows alice's id only, as a file server does.
if "$python" -IS - "$work/home-alice" $alice 2>"$work/idmap" <<'END'
import ctypes, os, struct, sys, time
home, uid = sys.argv[1].encode(), sys.argv[2]
libc = ctypes.CDLL(None, use_errno=True)
pid = os.fork()
if pid == 0:
    libc.unshare(0x10000000)
    time.sleep(60)
    os._exit(0)
try:
    while os.readlink(f"/proc/{pid}/ns/user") == os.readlink("/proc/self/ns/user"):
        time.sleep(0.01)
    for kind in ("uid_map", "gid_map"):
        with open(f"/proc/{pid}/{kind}", "w") as f:
            f.write(f"{uid} {uid} 1")
    ns = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY)
    tree = libc.syscall(428, -100, home, 1)  # open_tree, OPEN_TREE_CLONE
    attr = ctypes.create_string_buffer(struct.pack("QQQQ", 0x100000, 0, 0, ns))
    assert tree >= 0 and libc.syscall(442, tree, b"", 0x1000, attr, 32) == 0, os.strerror(ctypes.get_errno())
    assert libc.syscall(429, tree, b"", -100, home, 4) == 0, os.strerror(ctypes.get_errno())
finally:
    os.kill(pid, 9)
    os.waitpid(pid, 0)
END
then
    check ids
    expect "storage that knows no subordinate id" 1 ids failed "cannot belong to subordinate ids" "data-root"
    check --engine podman ids
    expect "... and where podman has it" 1 ids failed "" "graphroot in ~/.config/containers/storage.conf"
    umount "$work/home-alice"
else
    skip "storage that knows no subordinate id" "no mapped mount here: $(tail -n 1 "$work/idmap")"
fi

# What is left in the storage of engines.
data=$work/home-alice/.local/share
install -d -o $alice -g $alice "$work/home-alice/.local" "$data" "$data/docker" "$data/docker/overlay2"
install -d -o 3000100 -g 3000100 "$data/docker/overlay2/layer"
check storage
expect "files of subordinate ids" 0 storage ok "rltest-alice's or of subordinate ids"
mkdir "$data/docker/overlay2/roots"
check storage
expect "files of root's engine" 0 storage warning "roots belongs to uid 0" "chown -R $alice:$alice $data/docker/overlay2/roots"
check --engine podman storage
expect "... are not podman's" 0 storage ok "no engine keeps anything"
rmdir "$data/docker/overlay2/roots"
install -d -o 5000000 "$data/docker/overlay2/old"
check storage
expect "files of ids that she had before" 0 storage warning "none of the user's subordinate ids" "give the old range back"
rm -r "$data"

# Networks that others bring: the real ones, in front of which a version is told.
version() { # PROGRAM SAID
    # shellcheck disable=SC2016 # the stub's own
    printf '#!/bin/sh\n[ "$1" != --version ] || { printf "%s\\n"; exit 0; }\nexec %s "$@"\n' "$2" "$(PATH=/usr/bin:/bin command -v "$1")" >"$work/stub/$1"
    chmod 755 "$work/stub/$1"
}
if [ -c /dev/net/tun ]; then chmod 666 /dev/net/tun; fi
can() { # PROGRAM: it is here, and has what it wants of a host
    PATH=/usr/bin:/bin command -v "$1" >/dev/null &&
        { [ "$1" != pasta ] || [ -n "$(ip -4 route show default)" ]; }
}
for helper in pasta slirp4netns; do
    if ! can $helper; then
        skip "$helper" "it is not installed, or this host has no default route"
        continue
    fi
    check net.$helper
    expect "$helper makes its interface" 0 net.$helper ok "made its interface"
done
if can pasta; then
    version pasta "pasta 2023_03_21.1ee2f7c"
    path=$work/stub:$path check net.pasta
    expect "a pasta that RootlessKit refuses" 0 net.pasta warning "2023_06_25"
    version pasta "pasta 0.0~git20240220.1e6f92b-1"
    path=$work/stub:$path check net.pasta
    expect "a pasta with a fault" 0 net.pasta hint "map-guest-addr"
fi
if can slirp4netns; then
    version slirp4netns 'slirp4netns version 1.0.1\\nlibslirp: 4.2.0'
    path=$work/stub:$path check net.slirp4netns
    expect "a slirp4netns with a hole" 0 net.slirp4netns warning "CVE-2020-1983"
fi
if [ ! -c /dev/net/tun ]; then
    skip "helpers that fail" "no /dev/net/tun here"
    done_testing
    exit
fi
printf '#!/bin/sh\necho "Failed to open() /dev/net/tun: Permission denied" >&2\nexit 1\n' >"$work/stub/pasta"
chmod 755 "$work/stub/pasta"
path=$work/stub:$path check net.pasta
expect "a pasta that fails" 0 net.pasta hint "Permission denied" ""
expect "... for want of the tun device" 0 net.pasta hint "see net.tun"
mkdir "$work/bare"
ln -s "$bin/newuidmap" "$bin/newgidmap" "$work/bare/"
path=$work/bare check --engine podman net.pasta net.slirp4netns
expect "podman without any network" 1 net.pasta failed "looked for pasta" "passt"
expect "... neither the one nor the other" 1 net.slirp4netns failed "looked for slirp4netns"
path=$work/bare check net.pasta
expect "rootlesskit needs neither" 0 net.pasta hint "rootlesskit does without"
is "what was started is ended" "$(pgrep -u $alice -l || true)" ""

rm -f /etc/resolv.conf
ln -s ../run/rltest/systemd/resolve/stub-resolv.conf /etc/resolv.conf
check net.dns
expect "resolv.conf that leads nowhere" 0 net.dns warning "a link to ../run/rltest" "systemd-resolved"
rm /etc/resolv.conf
echo "search example.org" >/etc/resolv.conf
check net.dns
expect "resolv.conf without a server" 0 net.dns hint "no name server"

done_testing
