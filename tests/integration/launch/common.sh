# shellcheck shell=bash
# What the tests of launch share, on top of those of real engines.
# shellcheck disable=SC2154,SC2034 # lib.sh's variables
# shellcheck source=../engines/common.sh
. "$(dirname "$0")/../engines/common.sh"

launch() { as_user timeout 30 rootless-setup launch "$@"; }
run_in() { # ENGINE COMMAND...
    local engine=$1
    shift
    as_user rootless-setup run --engine "$engine" -- "$@"
}
# start ENGINE READY... [-- ARG...]: in the background; waits until READY succeeds. log, pid.
start() {
    local engine=$1 ready=() args=()
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        ready+=("$1")
        shift
    done
    args=("$@")
    log=$work/$engine.log
    start_as_user rootless-setup launch "${options[@]}" "$engine" "${args[@]}" >"$log" 2>&1
    wait_for 30 "${ready[@]}" || {
        note "$(tail -n 20 "$log")"
        return 1
    }
}
options=()
stop() { # status
    status=0
    kill -TERM "$pid"
    wait "$pid" || status=$?
}
# What a process inside sees, as root there. No way of ours is used to look.
inside() {
    nsenter --preserve-credentials -U -m -n -t "$(cat "$state/child_pid")" "$@"
}
nothing_left() { # AFTER
    ok "after $1 no process is left" wait_for 10 sh -c "! pgrep -u $uid"
    ok "after $1 there is no state directory" wait_for 10 test ! -e "$state"
}
