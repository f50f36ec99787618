#!/bin/bash
# A ready host is called ready, and what only seems to be broken is told from what is; breakages.sh,
# breakages_session.sh and breakages_host.sh break things for real.
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
check newuidmap
expect "without subordinate uids newuidmap is tried with the own id" 0 newuidmap ok "mapped 1 uids"
ranges "$good" "rltest-bob:3065536:65536"
check subid
expect "bob's range right behind is no overlap" 0 subid ok "65536 uids"
ranges "$good" "rltest-alice:3010000:10"
check newuidmap
expect "newuidmap refuses ranges of her own that overlap" 1 newuidmap failed "newuidmap"
ranges "rltest-alice:$alice:1" "rltest-alice:3000000:65536"
check newuidmap
expect "newuidmap maps around the own id" 0 newuidmap ok "mapped 65537 uids"
ranges "$good"

for stub in "exit 1" "exit 0"; do
    printf '#!/bin/sh\n%s\n' "$stub" >"$work/stub/newuidmap"
    chmod 755 "$work/stub/newuidmap"
    path=$work/stub:$path check newgidmap
    expect "a newuidmap that does \"$stub\" keeps nobody from newgidmap" 0 newgidmap ok "mapped 65537 gids"
done
printf '#!/bin/sh\nprintf "\\033[2Jboom\\n"\nexit 3\n' >"$work/stub/newuidmap"
path=$work/stub:$path check newuidmap
expect "what a stub says is told" 1 newuidmap failed "exit status 3:  [2Jboom"
printf '#!/bin/sh\nexec sleep 1000\n' >"$work/stub/newuidmap"
path=$work/stub:$path check newuidmap
is "a newuidmap that hangs is ended" "$(pgrep -u $alice -x sleep)" ""
rm "$work/stub/newuidmap"
if [ -u /usr/bin/newuidmap ]; then
    path=/usr/bin:/bin check newuidmap newgidmap
    expect "the distribution's setuid newuidmap" 0 newuidmap ok "/usr/bin/newuidmap mapped"
else
    skip "the distribution's setuid newuidmap" "it is not installed"
fi

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

limited() { # LIMITS...
    within=(prlimit "$@")
    check limits
    within=()
}
if prlimit --nofile=100000:100000 true 2>/dev/null; then
    limited --nofile=100000:100000 --nproc=10000:10000
    expect "high limits" 0 limits ok ""
else
    skip "high limits" "the limit of open files cannot be raised here"
fi
limited --nofile=4096:4096 --nproc=10000:10000
expect "limits for containers, not for clusters" 0 limits hint "4096 open files" "then log in anew"

run unshare --mount --propagation shared env PATH="$path" "$setup" check --json --user rltest-alice propagation
expect "/ that is shared" 0 propagation ok "shared mount"
check data-dir
expect "the directory of images" 0 data-dir ok "ran a program in $work/home-alice"
check hidepid net.iptables
expect "/proc that shows all" 0 hidepid ok ""
if command -v iptables >/dev/null; then
    expect "iptables takes rules" 0 net.iptables ok "added Docker's rules"
else
    skip "iptables takes rules" "it is not installed"
fi
# What legacy iptables says where its modules are not.
# shellcheck disable=SC2016 # the stub's own
printf '#!/bin/sh\n[ "$1" != --version ] || { echo "iptables v1.8.9 (legacy)"; exit 0; }\necho "Table does not exist (do you need to insmod?)" >&2\nexit 3\n' >"$work/stub/iptables"
chmod 755 "$work/stub/iptables"
path=$work/stub:$path check net.iptables
expect "iptables without its modules" 0 net.iptables warning "do you need to insmod" "modprobe -a ip_tables"
rm "$work/stub/iptables"
check net.forward state
expect "forwarding" 0 net.forward ok ""
expect "no state left" 0 state ok ""
install -d -o $alice "$work/run-alice/containerd-rootless"
install -o $alice /dev/null "$work/run-alice/containerd-rootless/lock"
check state
expect "state whose lock nobody holds" 0 state warning "nobody holds"
exec 8<"$work/run-alice/containerd-rootless/lock"
flock -n 8
check state
expect "state whose lock somebody holds" 0 state ok "no state of an engine is left"
exec 8<&-
rm -r "$work/run-alice/containerd-rootless"
check rootful
expect "no Docker of root's" 0 rootful ok ""
run unshare -n sh -c "ip link set lo up && ip link add rltest type veth peer name rltest-peer && ip link set rltest up &&
    ip route add 10.0.3.0/24 dev rltest && ip route add default dev rltest && exec env PATH='$path' '$setup' check --json --user rltest-alice net.route"
expect "a neighbour of the containers' network, and the default route" 0 net.route ok ""

# A bus of the test's own, and one that only seems to be.
for dir in /run/systemd /var/lib/systemd; do
    if mkdir "$dir" 2>/dev/null; then at_end rmdir "$dir"; fi
done
mount -t tmpfs -o mode=755 tmpfs /run/systemd
check bus linger
expect "no bus, no systemd" 0 bus hint "no systemd runs here"
expect "no linger without systemd" 0 linger ok "no systemd"
mkdir /run/systemd/system
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
rm "$work/run-alice/bus"
umount /run/systemd

done_testing
