#!/bin/bash
# One breakage (breakage.sh): broken.sh ID STATUS SAID REMEDY HOW, in namespaces of its own. Says what is
# wrong with what check made of it; status 77 and why, if this machine cannot be broken that way.
set -eu
# shellcheck disable=SC2034 # read by lib.sh
own_network=1 memory_etc=1
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"
id=$1 status=$2 said=$3 remedy=$4 how=$5
good="rltest-alice:3000000:65536"
wrongs=0

wrong() {
    echo "$*"
    wrongs=$((wrongs + 1))
}

cannot() {
    echo "$*"
    exit 77
}

# shellcheck disable=SC2034 # no test of its own ends here
rltest_planned=1

# What a ready machine has. Hers is no account with a password, but sudo asks none of her.
ready() {
    ranges "$good"
    mount --make-rshared /
    mount -t tmpfs -o mode=755 tmpfs /run
    hide fuse-overlayfs apt-get
    echo "0 2147483647" >/proc/sys/net/ipv4/ping_group_range
    echo 80 >/proc/sys/net/ipv4/ip_unprivileged_port_start
    mkdir -p /etc/sudoers.d /etc/pam.d
    echo "rltest-alice ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/rltest
    chmod 440 /etc/sudoers.d/rltest
    printf '%s sufficient pam_permit.so\n' auth account session >/etc/pam.d/sudo
}

hide() { # PROGRAM...: they are not installed
    local name
    for name in "$@"; do
        ! name=$(PATH=$path:/usr/sbin:/sbin command -v "$name") || mount --bind /dev/null "$(readlink -f "$name")"
    done
}

show() { # PROGRAM...: they are, after all
    local name
    for name in "$@"; do
        umount "/usr/bin/$name" 2>/dev/null || cannot "no $name is installed"
    done
}

# in_userns EXTENT: she lives in a user namespace with these ids, whose limits are its own.
in_userns() {
    local i
    unshare --user sleep 600 &
    holder=$!
    for ((i = 0; i < 500; i++)); do
        [ "$(readlink /proc/"$holder"/ns/user)" = "$(readlink /proc/self/ns/user)" ] || break
        sleep 0.02
    done
    echo "$1" >/proc/"$holder"/uid_map
    echo "$1" >/proc/"$holder"/gid_map
    within=(nsenter --user --target "$holder")
}

limit() { # NAME VALUE: a limit of that user namespace
    # shellcheck disable=SC2016
    "${within[@]}" sh -c 'echo "$2" >"/proc/sys/user/$1"' sh "$1" "$2"
}

# The traces of systemd that check goes by: its directory, a bus that takes her, linger.
under_systemd() {
    mkdir -p /run/systemd/system
    [ -d /var/lib/systemd ] || cannot "no /var/lib/systemd"
    mount -t tmpfs tmpfs /var/lib/systemd
    mkdir /var/lib/systemd/linger
    : >/var/lib/systemd/linger/rltest-alice
    bus 'OK 0123456789abcdef\r\n'
}

# She uses the newuidmap of Debian's package, which apt removes, if it is marked so; nothing wants it.
of_package() {
    local file=/var/lib/dpkg/info/uidmap.list
    grep -qx /usr/bin/newuidmap "$file" 2>/dev/null || cannot "newuidmap is of no package here"
    path=/usr/bin:/bin
    sed -n '/^Package: uidmap$/,/^$/p' /var/lib/dpkg/status >"$work/status"
    mount --bind "$work/status" /var/lib/dpkg/status
    mount -t tmpfs tmpfs /var/cache/apt
    mount -t tmpfs tmpfs /var/lib/apt
    printf 'Package: uidmap\nArchitecture: %s\nAuto-Installed: 0\n\n' "$(dpkg --print-architecture)" >/var/lib/apt/extended_states
}

# Python for holding, by name in the tables.
# shellcheck disable=SC2034
all_keyrings='
import ctypes
libc = ctypes.CDLL(None)
syscall = {"x86_64": 248, "aarch64": 217}[__import__("os").uname().machine]
libc.syscall(syscall + 2, 1, None)
n = 0
while libc.syscall(syscall, b"keyring", b"rltest-%d" % n, None, 0, -3) >= 0 and n < 100000:
    n += 1'
# shellcheck disable=SC2034
all_inotify='
import ctypes
libc = ctypes.CDLL(None)
while libc.inotify_init() >= 0:
    pass'

# A chroot, from which nothing is missing.
chrooted() {
    local dir
    mkdir "$work/root"
    for dir in usr etc lib lib64 bin sbin proc sys dev var run; do
        [ -e "/$dir" ] || continue
        mkdir "$work/root/$dir"
        mount --rbind "/$dir" "$work/root/$dir"
    done
    within=(chroot "$work/root")
}

home_on() { # MOUNT'S ARGUMENTS: a file system of her own is mounted as her home
    mount -t tmpfs "$@" "$work/home-alice"
    mount -o remount,mode=700,uid="$alice" "$work/home-alice" 2>/dev/null || true
}

home_on_overlay() {
    mount -t overlay -o "lowerdir=/usr/share/man,upperdir=$work/home-bob,workdir=$work/run-bob" overlay "$work/home-alice"
    chown "$alice" "$work/home-alice"
}

docker_of_root() {
    install -d -o "$alice" /run/docker
    ln -s docker/docker.sock /run/docker.sock
    holding "
import socket
listener = socket.socket(socket.AF_UNIX)
listener.bind('/run/docker/docker.sock')
listener.listen()"
}

# A cgroup that may not use the device, as Docker makes one. Without controllers of v1 that takes BPF.
without_tun() {
    local group=/sys/fs/cgroup/devices/rltest-$$
    [ -w /sys/fs/cgroup/devices/devices.deny ] || cannot "no cgroup v1 of devices here"
    mkdir "$group"
    at_end rmdir "$group"
    at_end sh -c "echo $$ >/sys/fs/cgroup/devices/cgroup.procs"
    echo "c 10:200 rwm" >"$group/devices.deny"
    echo $$ >"$group/cgroup.procs"
}

legacy_iptables() {
    [ -x /usr/sbin/iptables-legacy ] || cannot "no iptables-legacy is installed"
    ! unshare --net /usr/sbin/iptables-legacy -t nat -L >/dev/null 2>&1 || cannot "this kernel has the modules"
    ln -sf /usr/sbin/iptables-legacy /etc/alternatives/iptables
}

a_lan() {
    ip link add rltest type veth peer name rltest-peer
    ip link set rltest up
}

# What follows is the whole machine's: for a virtual one.

keep() { # SYSCTL...: the values come back at the end
    local name
    for name in "$@"; do
        at_end sysctl -qw "$name=$(sysctl -n "$name")"
    done
}

setting() { # SYSCTL VALUE
    keep "$1"
    sysctl -qw "$1=$2"
}

without_modules() { # MODULE...: they are not loaded, and the kernel loads none by itself
    local tries=200 names
    names="^($(IFS='|' && echo "$*")) "
    keep kernel.modprobe
    at_end modprobe -a "$@"
    # Those of a network namespace that just went are in use for a moment.
    while grep -qE "$names" /proc/modules; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || cannot "still in use: $(grep -E "$names" /proc/modules)"
        modprobe -r "$@" 2>/dev/null || sleep 0.1
    done
    sysctl -qw kernel.modprobe=/bin/false
}

delegated() { # as systemd makes the cgroup of a user's manager; sets manager
    local dir=/sys/fs/cgroup part
    for part in user.slice "user-$alice.slice" "user@$alice.service"; do
        echo "+cpu +memory +pids +cpuset +io" >"$dir/cgroup.subtree_control"
        dir=$dir/$part
        mkdir "$dir"
        at_end rmdir "$dir"
    done
    manager=$dir
    chown -R "$alice" "$manager"
}

stub() { # NAME [SHELL TEXT]: a script that stands before the real program
    printf '#!/bin/sh\n%s\n' "${2:-}" >"$work/stub/$1"
    chmod 755 "$work/stub/$1"
    path=$work/stub:$path
}

as_root() { # COMMAND...: where alice lives, with what root's login has
    "${within[@]}" env -i PATH="$path:/usr/sbin:/sbin" HOME=/root "$@"
}

look() { # NAME [ID...]: a report in $work/NAME.json; sets rc
    local try
    # A machine that is very busy is not what was broken.
    for try in 1 2 3; do
        rc=0
        as_alice "$setup" check --json "${@:2}" >"$work/$1.json" 2>"$work/err" || rc=$?
        if [ "$try" = 3 ] || [ "$said" = "what it tries hangs" ] || ! grep -q "no answer within" "$work/$1.json"; then break; fi
    done
    [ ! -s "$work/err" ] || wrong "check wrote to stderr: $(cat "$work/err")"
}

compare() { # see compare.py
    "$python" -IS "$SOURCE_ROOT/tests/integration/check/compare.py" "$@" || wrongs=$((wrongs + 1))
}

tree() {
    (cd /etc && find . -printf '%p %y %m %U:%G %l\n' -type f -exec sha256sum {} + | sort)
}

try_fix() {
    local before
    before=$(tree)
    run as_root "$setup" fix --user rltest-alice "$id"
    [ "$rc" -eq 0 ] || wrong "fix: status $rc: $out $err"
    look fixed
    compare mended "$work/before.json" "$work/fixed.json"
    run as_root "$setup" undo
    [ "$rc" -eq 0 ] || wrong "undo: status $rc: $out $err"
    look undone
    compare same "$work/broken.json" "$work/undone.json" "$id"
    [ "$(tree)" = "$before" ] || wrong "undo: /etc differs: $(diff <(echo "$before") <(tree))"
    echo fixed >>"$work/did"
}

# What the report offers, from behind the heading to the verdict. A shell of her own goes on with the
# variables that it sets. What a hint offers is commented out: who wants it takes the marks away.
offered() {
    sed -n '/^Remedies, to paste/,/ready for rootless engines/p' <<<"$out" | sed '1d;$d'
}

paste_as_alice() {
    run as_alice "$setup" check "$id"
    offered >"$work/pasted"
    # shellcheck disable=SC2016 # for that shell
    echo '"$0" check --json >"$1"' >>"$work/pasted"
    install -o "$alice" /dev/null "$work/healed.json"
    as_alice /bin/bash -c "$(cat "$work/pasted")" "$setup" "$work/healed.json" >"$work/said" 2>&1 || true
}

paste_as_root() {
    run as_root env ${runtime:+XDG_RUNTIME_DIR="$runtime"} "$setup" check --user rltest-alice "$id"
    offered >"$work/pasted"
    if [ "$status" = hint ]; then
        sed -i -n '/^# As root, and only/,/^# Not done by/s/^#   //p' "$work/pasted"
    fi
    as_root sh <"$work/pasted" >"$work/said" 2>&1 || true
    look healed
}

try_paste() {
    local who=alice
    if [ -n "${as_root:-}" ] || [ "$status" = hint ]; then who=root; fi
    [ $wrongs -eq 0 ] || return 0
    paste_as_$who
    compare mended "$work/before.json" "$work/healed.json"
    if [ $wrongs -gt 0 ]; then
        echo "pasted into a shell of $who:"
        sed 's/^/  /' "$work/pasted" "$work/said"
    fi
    echo pasted >>"$work/did"
}

ready
eval "${machine:-}"
look before
eval "$how"
look broken
compare broken "$work/before.json" "$work/broken.json" "$rc" "$id" "$status" "$said" "$remedy" "${also:-}"
[ $wrongs -eq 0 ] || exit 1
can=$("$python" -IS "$SOURCE_ROOT/tests/integration/check/compare.py" can "$work/broken.json" "$id")
[ -z "${untried:-}" ] || exit 0
case $can in *fix*) try_fix ;; esac
case $can in *paste*) try_paste ;; esac
exit $((wrongs > 0))
