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
