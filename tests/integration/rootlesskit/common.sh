# shellcheck shell=bash
# What the tests of rootlesskit share. Sourced after lib.sh, whose variables these are:
# shellcheck disable=SC2154,SC2034

# The processes of the selected user that are not zombies: what an instance leaves behind.
family() {
    ps -u "$user" -o pid=,stat=,args= | awk '$2 !~ /^Z/'
}
family_gone() { [ -z "$(family)" ]; }
state_dirs() { find "$home/tmp" -mindepth 1 -maxdepth 1; }
# Namespaces of processes that are there; one that is kept alive by something else shows as a mount.
namespaces() { lsns --noheadings --output TYPE,NS | sort | uniq; }

# A user with a TMPDIR of his own, where state directories of no other name can be seen.
make_kit_user() {
    make_user "$@"
    install -d -m 700 -o "$uid" -g "$gid" "$home/tmp"
    env_user=("TMPDIR=$home/tmp")
}

# start_kit OPTION... -- COMMAND...: in the background with the state directory $state; returns when the
# command may run. Its output is in $work/kit.log.
start_kit() {
    state=$runtime/kit
    # That of an instance which was killed would be taken for the new one's.
    rm -f "$state/api.sock"
    start_as_user rootlesskit --state-dir="$state" "$@" >"$work/kit.log" 2>&1
    kit=$pid
    wait_for 10 test -e "$state/api.sock" || note "$(cat "$work/kit.log")"
}
stop_kit() {
    kill -TERM "$kit" 2>/dev/null || true
    wait "$kit" 2>/dev/null || true
}
ctl() { as_user rootlessctl --socket "$state/api.sock" "$@"; }

# Of the instance that runs: the process that moves its bytes, and how many fds a process has.
plane() { # the one of its processes that stays in the host's network
    local p
    for p in $(pgrep -x -P "$kit" -u "$user" rootlesskit); do
        [ "$(stat -Lc %i "/proc/$p/ns/net")" != "$(stat -Lc %i /proc/self/ns/net)" ] || echo "$p"
    done
}
fds() { find "/proc/$1/fd" -mindepth 1 | wc -l; }

# check_ports NAME DRIVER [IP]: of the running instance with --port-driver=DRIVER, whose child's network has
# "tcp.py hello 0.0.0.0 81" and "udp.py echo 0.0.0.0 82": what every such driver does. The host ports are 8181 to
# 8184. IP is the child's address, where it has one that ports lead to.
check_ports() {
    local name=$1 driver=$2 ip=${3:-} ids
    like "$name: info" "$(ctl info)" "Port Driver: $driver"
    ids=$(ctl add-ports 127.0.0.1:8181:81/tcp 127.0.0.1:8182:82/udp "127.0.0.1:8183:${ip:+$ip:}81/tcp4" | xargs)
    ok "$name: TCP" wait_for 20 port_answers 8181
    ok "$name: UDP" wait_for 20 port_answers_udp 8182
    ok "$name: ${ip:+to the child\'s address}${ip:-to the default}" wait_for 20 port_answers 8183
    is "$name: 100 connections, one after the other" \
        "$(timeout 60 python3 "$work/tcp.py" short 127.0.0.1 8181 100)" 100
    is "$name: an address that is not asked for" "$(port_says 127.0.0.2 8181)" ECONNREFUSED
    # shellcheck disable=SC2086 # words
    is "$name: all are removed" "$(ctl remove-ports $ids | xargs)" "$ids"
    is "$name: and nobody listens" "$(port_says 127.0.0.1 8181) $(port_says 127.0.0.1 8183)" "ECONNREFUSED ECONNREFUSED"
    is "$name: nor by UDP" "$(ss -lunH 'sport = :8182')" ""
}
port_says() { timeout 15 python3 "$work/tcp.py" first "$1" "$2"; }
port_answers() { [ "$(port_says 127.0.0.1 "$1")" = hello ]; }
port_answers_udp() { [ "$(timeout 15 python3 "$work/udp.py" ask 127.0.0.1 "$1" 100)" = 127.0.0.1 ]; }
