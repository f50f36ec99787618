#!/bin/bash
# A ready host is called ready, and each thing that can be wrong is recognised, named and remedied.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

good="rltest-alice:3000000:65536"
network="net.tun net.veth net.nat net.tproxy net.rule"
ranges "$good"

# shellcheck disable=SC2086 # the list is words
check userns proc subid newuidmap newgidmap runtime-dir overlay $network
expect "everything in order: exit status 0" 0 newuidmap ok "mapped 65537 uids"
for id in userns proc subid newgidmap runtime-dir overlay $network; do
    expect "everything in order: $id" 0 "$id" ok ""
done

: >/etc/subuid
check subid
expect "no subordinate uids" 1 subid failed "no subordinate uids in /etc/subuid" \
    "subid add rltest-alice"
check newuidmap
expect "newuidmap is still tried, with the own id" 0 newuidmap ok "mapped 1 uids"
rm /etc/subuid
check subid
expect "no /etc/subuid" 1 subid failed "no subordinate uids in /etc/subuid" subid
ranges "rltest-alice:3000000:1000"
check subid
expect "a short range" 1 subid failed "has 1000 subordinate uids" "subid add rltest-alice"
ranges "$good" "rltest-bob:3065535:65536"
check subid
expect "a range that overlaps bob's by one id" 1 subid failed \
    "3000000:65536 in /etc/subuid overlaps rltest-bob's 3065535:65536" "subid del rltest-alice"
ranges "$good" "rltest-bob:3065536:65536"
check subid
expect "bob's range right behind is no overlap" 0 subid ok "65536 uids"
ranges "$good" "$bob:2990000:10001"
check subid
expect "an overlap with a numeric owner" 1 subid failed "overlaps $bob's 2990000:10001"
ranges "$good" "rltest-alice:3010000:10"
check subid newuidmap
expect "ranges of her own that overlap" 1 subid failed "own ranges 3000000:65536 and 3010000:10"
expect "newuidmap refuses those" 1 newuidmap failed "newuidmap"
ranges "$good" "rltest-alice:$bob:10"
check subid
expect "a range with another account's id" 1 subid failed "contains rltest-bob's id $bob"
ranges "rltest-alice:$alice:1" "rltest-alice:3000000:65536"
check subid newuidmap
expect "a range with her own id" 0 subid warning "the user's own id $alice"
expect "newuidmap maps around the own id" 0 newuidmap ok "mapped 65537 uids"
ranges "$good"
echo "rltest-alice:3000000:70000" >/etc/subgid
check subid
expect "fewer uids than gids" 0 subid warning "uids and gids differs"
ranges "$good"

for stub in "exit 1" "exit 0"; do
    printf '#!/bin/sh\n%s\n' "$stub" >"$work/stub/newuidmap"
    chmod 755 "$work/stub/newuidmap"
    path=$work/stub:$path check newuidmap newgidmap
    expect "a newuidmap that does \"$stub\"" 1 newuidmap failed "is a script" "remove"
    expect "... and newgidmap beside it" 1 newgidmap ok "mapped 65537 gids"
done
printf '#!/bin/sh\nprintf "\\033[2Jboom\\n"\nexit 3\n' >"$work/stub/newuidmap"
path=$work/stub:$path check newuidmap
expect "what a stub says is told" 1 newuidmap failed "exit status 3:  [2Jboom"
printf '#!/bin/sh\nexec sleep 1000\n' >"$work/stub/newuidmap"
path=$work/stub:$path check newuidmap
expect "a newuidmap that hangs" 1 newuidmap failed "no answer within 5 seconds"
is "... and is ended" "$(pgrep -u $alice -x sleep)" ""
rm "$work/stub/newuidmap"

setcap -r "$bin/newuidmap"
check newuidmap
expect "newuidmap without its capability" 1 newuidmap failed "neither the file capability cap_setuid" \
    "setcap cap_setuid=ep $bin/newuidmap"
setcap -r "$bin/newgidmap"
check newgidmap
expect "newgidmap without its capability" 1 newgidmap failed "cap_setgid" "setcap cap_setgid=ep"
setcap cap_setuid+ep "$bin/newuidmap"
setcap cap_setgid+ep "$bin/newgidmap"
mkdir "$work/empty"
path=$work/empty check newuidmap
expect "no newuidmap in PATH" 1 newuidmap failed "no newuidmap in" "uidmap"
run as_alice "$setpriv" --no-new-privs "$setup" check --json newuidmap
expect "no_new_privs" 1 newuidmap failed "no_new_privs is set" "without no_new_privs"
mount -t tmpfs -o nosuid,mode=755 tmpfs "$work/empty"
cp -p --preserve=xattr "$bin/newuidmap" "$work/empty/"
setcap cap_setuid+ep "$work/empty/newuidmap"
path=$work/empty check newuidmap
expect "newuidmap on a nosuid mount" 1 newuidmap failed "mounted nosuid" "without nosuid"
umount "$work/empty"
if [ -u /usr/bin/newuidmap ]; then
    path=/usr/bin:/bin check newuidmap newgidmap
    expect "the distribution's setuid newuidmap" 0 newuidmap ok "/usr/bin/newuidmap mapped"
else
    skip "the distribution's setuid newuidmap" "it is not installed"
fi

if [ -c /dev/net/tun ]; then
    chmod 600 /dev/net/tun
    check net.tun
    expect "/dev/net/tun with mode 0600" 1 net.tun failed "EACCES" "chmod 0666 /dev/net/tun"
    chmod 666 /dev/net/tun
else
    skip "/dev/net/tun with mode 0600" "no /dev/net/tun here"
fi
mount -t tmpfs tmpfs /dev/net
check net.tun
expect "no /dev/net/tun" 1 net.tun failed "ENOENT" "modprobe -a tun"
umount /dev/net

runtime="" check runtime-dir
expect "XDG_RUNTIME_DIR unset" 1 runtime-dir failed "is not set" "export XDG_RUNTIME_DIR=/run/user/$alice"
runtime=check check runtime-dir
expect "XDG_RUNTIME_DIR relative" 1 runtime-dir failed "not an absolute path"
runtime=$work/none check runtime-dir
expect "XDG_RUNTIME_DIR missing" 1 runtime-dir failed "ENOENT"
runtime=$work/run-bob check runtime-dir
expect "XDG_RUNTIME_DIR of another user" 1 runtime-dir failed "kept by su or sudo from the session of uid $bob"
chmod 500 "$work/run-alice"
check runtime-dir
expect "XDG_RUNTIME_DIR not writable" 1 runtime-dir failed "mode 0500" "chmod 0700 $work/run-alice"
chmod 777 "$work/run-alice"
check runtime-dir
expect "XDG_RUNTIME_DIR writable for all" 1 runtime-dir failed "others may write there"
chmod 755 "$work/run-alice"
check runtime-dir
expect "XDG_RUNTIME_DIR readable for all" 0 runtime-dir warning "0700"
chmod 700 "$work/run-alice"

chmod 500 "$work/home-alice"
check overlay
expect "a home that is not writable" 1 overlay failed "EACCES" "install -d -m 0700 -o $alice"
chmod 700 "$work/home-alice"
mount -t overlay -o "lowerdir=/usr/share/man,upperdir=$work/home-bob,workdir=$work/run-bob" overlay \
    "$work/home-alice"
chown $alice "$work/home-alice"
mkdir "$work/nofuse"
ln -s "$(command -v true)" "$work/nofuse/true"
path=$work/nofuse check overlay
expect "a home on overlay itself" 1 overlay failed "is on overlay" "data-root"
umount "$work/home-alice"

# Engines start nothing without any cgroup mount.
# shellcheck disable=SC2016
run unshare -m sh -c 'umount -R -l /sys/fs/cgroup; exec "$@"' sh env PATH="$path" "$setup" check --json --user rltest-alice cgroup
expect "no cgroup mount at all" 1 cgroup failed "no cgroup file system is mounted" "mount -t cgroup2"

# A cgroup v2 tree of our own view, with and without a cgroup that is hers.
mount -t cgroup2 none /sys/fs/cgroup 2>/dev/null || true
if mkdir /sys/fs/cgroup/rltest-check 2>/dev/null; then
    at_end rmdir /sys/fs/cgroup/rltest-check
    join='echo $$ >/sys/fs/cgroup/rltest-check/cgroup.procs; shift; exec "$@"'
    run sh -c "$join" sh - env PATH="$path" "$setup" check --json --user rltest-alice cgroup
    expect "cgroup v2, but none for her" 0 cgroup warning "no cgroup that rltest-alice may write to"
    chown -R $alice /sys/fs/cgroup/rltest-check
    run sh -c "$join" sh - env PATH="$path" "$setup" check --json --user rltest-alice cgroup
    like "cgroup v2, and one that is hers" "$out" "/rltest-check is delegated with: "
else
    skip "cgroup v2" "it cannot be mounted here"
fi

# What runs out under many containers: another process of hers holds it.
holding() { # PYTHON: runs it as alice, which then waits; sets holder
    rm -f "$work/held"
    as_alice "$python" -IS -c "$1
import os, time
print(os.getpid(), flush=True)
time.sleep(60)" >"$work/held" &
    job=$!
    wait_for 30 grep -qs . "$work/held"
    holder=$(cat "$work/held")
}
let_go() {
    kill "$holder"
    wait "$job" || true
}
holding '
import ctypes
libc = ctypes.CDLL(None)
syscall = {"x86_64": 248, "aarch64": 217}[__import__("os").uname().machine]
libc.syscall(syscall + 2, 1, None)
n = 0
while libc.syscall(syscall, b"keyring", b"rltest-%d" % n, None, 0, -3) >= 0 and n < 100000:
    n += 1'
check keys
expect "no keyrings left" 1 keys failed "share is used up" "kernel.keys.maxkeys = 20000"
let_go
# Keys go a moment after the process that held them.
keys_back() {
    check keys
    [ "$rc" -eq 0 ]
}
wait_for 20 keys_back || true
expect "keyrings left" 0 keys ok "session keyring"
holding '
import ctypes
libc = ctypes.CDLL(None)
while libc.inotify_init() >= 0:
    pass'
check inotify
expect "no inotify instances left" 0 inotify warning "max_user_instances" "fs.inotify.max_user_instances = 1024"
let_go
check inotify
expect "inotify instances left" 0 inotify ok "each with a watch"
limited() { # LIMITS...
    run prlimit "$@" env -i PATH="$path" HOME="$work/home-alice" XDG_RUNTIME_DIR="$runtime" \
        "$setpriv" --reuid $alice --regid $alice --clear-groups "$setup" check --json limits
}
if prlimit --nofile=100000:100000 true 2>/dev/null; then
    limited --nofile=100000:100000 --nproc=10000:10000
    expect "high limits" 0 limits ok ""
else
    skip "high limits" "the limit of open files cannot be raised here"
fi
limited --nofile=4096:4096 --nproc=10000:10000
expect "limits for containers, not for clusters" 0 limits hint "4096 open files" "then log in anew"
limited --nofile=512:512
expect "low limits" 0 limits warning "512 open files"

check propagation
expect "/ that is not shared" 0 propagation hint "not a shared mount" "mount --make-rshared /"
run unshare --mount --propagation shared env PATH="$path" "$setup" check --json --user rltest-alice propagation
expect "/ that is shared" 0 propagation ok "shared mount"

check data-dir
expect "the directory of images" 0 data-dir ok "ran a program in $work/home-alice"
mount -t tmpfs -o noexec,mode=700,uid=$alice tmpfs "$work/home-alice"
check data-dir
expect "a home mounted noexec" 1 data-dir failed "noexec" "without noexec"
umount "$work/home-alice"
mount -t tmpfs -o size=16m,mode=700,uid=$alice tmpfs "$work/home-alice"
check data-dir
expect "a home that is nearly full" 0 data-dir warning "MiB" "free some space"
umount "$work/home-alice"

check hidepid tools net.iptables
expect "/proc that shows all" 0 hidepid ok ""
if command -v iptables >/dev/null; then
    expect "iptables takes rules" 0 net.iptables ok "added Docker's rules"
else
    skip "iptables takes rules" "it is not installed"
fi
# shellcheck disable=SC2016
run unshare -m sh -c 'mount -t proc -o hidepid=2 proc /proc && exec "$@"' sh env PATH="$path" "$setup" check --json --user rltest-alice hidepid
expect "/proc with hidepid=2" 0 hidepid warning "hidepid" "mount -o remount,hidepid=0 /proc"
# shellcheck disable=SC2016
run unshare -m sh -c 'mount -t tmpfs tmpfs /usr/sbin && mount -t tmpfs tmpfs /sbin && exec "$@"' sh \
    env PATH="$work/nofuse" "$setup" check --json --user rltest-alice tools net.iptables
expect "no tools" 0 tools warning "nsenter, sysctl, ip" "package iproute2"
expect "no iptables" 0 net.iptables warning "no iptables in" "iptables"
# shellcheck disable=SC2016 # the stub's own
printf '#!/bin/sh\n[ "$1" != --version ] || { echo "iptables v1.8.9 (legacy)"; exit 0; }\necho "Table does not exist (do you need to insmod?)" >&2\nexit 3\n' >"$work/stub/iptables"
chmod 755 "$work/stub/iptables"
path=$work/stub:$path check net.iptables
expect "iptables without its modules" 0 net.iptables warning "do you need to insmod" "modprobe -a ip_tables"
rm "$work/stub/iptables"
check net.forward state
expect "forwarding" 0 net.forward ok ""
expect "no state left" 0 state ok ""
# shellcheck disable=SC2016
run unshare -m sh -c 'mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec "$@"' sh \
    env PATH="$path" "$setup" check --json --user rltest-alice net.forward
expect "/proc/sys mounted read-only" 0 net.forward warning "read-only, as in a container" "systempaths=unconfined"
install -d -o $alice "$work/run-alice/containerd-rootless"
check state
expect "a state directory without a lock" 0 state warning "nobody holds" "rm -r $work/run-alice/containerd-rootless"
install -o $alice /dev/null "$work/run-alice/containerd-rootless/lock"
check state
expect "one whose lock nobody holds" 0 state warning "nobody holds"
exec 8<"$work/run-alice/containerd-rootless/lock"
flock -n 8
check state
expect "one that somebody holds" 0 state ok "no state of an engine is left"
exec 8<&-
rm -r "$work/run-alice/containerd-rootless"
check rootful
expect "no Docker of root's" 0 rootful ok ""
mkdir "$work/run-docker"
chown $alice "$work/run-docker"
holding "
import socket
listener = socket.socket(socket.AF_UNIX)
listener.bind('$work/run-docker/docker.sock')
listener.listen()"
# shellcheck disable=SC2016
run unshare -m sh -c 'mount --bind "$1" /run && shift && exec "$@"' sh "$work/run-docker" \
    env PATH="$path" "$setup" check --json --user rltest-alice rootful
expect "a Docker of root's that takes her" 0 rootful hint "as good as being root" "systemctl disable --now docker"
let_go
in_network() { # SCRIPT: a network of its own with these routes
    run unshare -n sh -c "ip link set lo up && ip link add rltest type veth peer name rltest-peer && ip link set rltest up && $1 && exec env PATH='$path' '$setup' check --json --user rltest-alice net.route"
}
in_network "ip addr add 10.0.2.15/24 dev rltest"
expect "a LAN of 10.0.2.0/24" 0 net.route hint "10.0.2.0/24 on rltest" "--cidr"
in_network "ip route add 10.0.0.0/8 dev rltest"
expect "a VPN of 10.0.0.0/8" 0 net.route hint "10.0.0.0/8 on rltest"
in_network "ip route add 10.0.3.0/24 dev rltest && ip route add default dev rltest"
expect "a neighbour, and the default" 0 net.route ok ""

# A bus of the test's own, and one that only seems to be.
for dir in /run/systemd /var/lib/systemd; do
    if mkdir "$dir" 2>/dev/null; then at_end rmdir "$dir"; fi
done
bus() { # ANSWER: a socket that says it to whoever logs in
    holding "
import os, socket, threading
path = '$work/run-alice/bus'
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen()
def serve():
    while True:
        peer = listener.accept()[0]
        ok = peer.recv(100) == b'\\0AUTH EXTERNAL ' + b'$alice'.hex().encode() + b'\\r\\n'
        peer.sendall(b'$1' if ok else b'REJECTED\\r\\n')
threading.Thread(target=serve, daemon=True).start()"
}
mount -t tmpfs -o mode=755 tmpfs /run/systemd
check bus linger
expect "no bus, no systemd" 0 bus hint "no systemd runs here"
expect "no linger without systemd" 0 linger ok "no systemd"
mkdir /run/systemd/system
check bus linger
expect "no bus under systemd" 0 bus warning "no D-Bus session" "loginctl enable-linger $alice"
expect "no linger" 0 linger hint "end with the last login" "loginctl enable-linger $alice"
mount -t tmpfs tmpfs /var/lib/systemd
mkdir /var/lib/systemd/linger
: >/var/lib/systemd/linger/rltest-alice
check linger
expect "linger" 0 linger ok "linger/rltest-alice"
umount /var/lib/systemd
bus 'OK 0123456789abcdef\r\n'
check bus
expect "a bus that takes her" 0 bus ok "took me for uid $alice"
let_go
check bus
expect "a bus that is dead" 0 bus warning "nobody answers" "systemctl --user restart dbus.socket"
rm "$work/run-alice/bus"
bus 'REJECTED EXTERNAL\r\n'
check bus
expect "a bus that refuses her" 0 bus warning "refuses this one"
let_go
rm "$work/run-alice/bus"
umount /run/systemd

# The remedies for root are run as they are printed; afterwards all is well.
heal() { # WHAT ID
    run as_alice "$setup" check "$2"
    sed -n '/^sudo sh/,/^END_OF_REMEDIES/p' <<<"$out" | sed '1d;$d' >"$work/script"
    sh -eu "$work/script" >"$work/healing" 2>&1 || note "$(cat "$work/healing")"
    check "$2"
    expect "$1" 0 "$2" ok ""
}
setcap -r "$bin/newuidmap"
heal "the remedy for newuidmap heals" newuidmap
: >/etc/subgid
heal "the remedy for missing gids heals" subid
ranges "$good" "rltest-bob:3000001:65536"
heal "the remedy for an overlap heals" subid
is "... and leaves bob's ranges alone" "$(grep -c "^rltest-bob:3000001:65536$" /etc/subuid /etc/subgid)" \
    "/etc/subuid:1"$'\n'"/etc/subgid:1"
ranges "$good"
chmod 500 "$work/home-alice"
chown root "$work/home-alice"
heal "the remedy for a home of root's heals" overlay
if [ -c /dev/net/tun ]; then
    chmod 600 /dev/net/tun
    heal "the remedy for /dev/net/tun heals" net.tun
else
    skip "the remedy for /dev/net/tun heals" "no /dev/net/tun here"
fi

# A limit of zero in a user namespace of our own: the machine's stays as it is.
unshare --user sleep 60 &
holder=$!
for _ in $(seq 100); do
    [ "$(readlink /proc/$holder/ns/user)" = "$(readlink /proc/self/ns/user)" ] || break
    sleep 0.02
done
echo "0 0 4294967295" >/proc/$holder/uid_map
echo "0 0 4294967295" >/proc/$holder/gid_map
run env -i PATH="$path" nsenter --user --target $holder sh -c "
    echo 0 >/proc/sys/user/max_user_namespaces &&
    exec $setup check --json --user rltest-alice userns proc net.tun"
kill $holder
expect "user.max_user_namespaces = 0" 1 userns failed "user.max_user_namespaces is 0" \
    "user.max_user_namespaces = 28633"
expect "what needs user namespaces is skipped" 1 net.tun skipped "needs userns, which failed"
# A chroot takes user namespaces away.
mkdir "$work/root"
for dir in usr etc lib lib64 bin proc dev var; do
    [ -e "/$dir" ] || continue
    mkdir "$work/root/$dir"
    mount --rbind "/$dir" "$work/root/$dir"
done
run env -i PATH="$path" "$(command -v chroot)" "$work/root" "$setup" check --json \
    --user rltest-alice userns
expect "a chroot" 1 userns failed "chroot" "outside the chroot"
umount -R -l "$work"/root/*

done_testing
