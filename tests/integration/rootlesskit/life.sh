#!/bin/bash
# The life of an instance: what the command gets, how it ends, and that nothing survives it.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
use_programs
make_kit_user life

# Exit statuses and signals.
for options in "" "--pidns" "--pidns --reaper=false"; do
    # shellcheck disable=SC2086 # words
    run as_user rootlesskit $options sh -c 'exit 42'
    is "exit status 42 is passed on ($options)" "$rc" 42
    # shellcheck disable=SC2086
    run as_user rootlesskit $options true
    is "and 0 ($options)" "$rc" 0
    is "without a word ($options)" "$err" ""
    # shellcheck disable=SC2086,SC2016
    run as_user rootlesskit $options sh -c 'kill -USR1 $$'
    is "a signal is 255 ($options)" "$rc" 255
    like "and named ($options)" "$err" "user defined signal 1"
    # shellcheck disable=SC2086
    run as_user rootlesskit $options no-such-command
    is "a command that is not there is 1 ($options)" "$rc" 1
    like "and named ($options)" "$err" 'exec: "no-such-command": executable file not found in .PATH'
done

# What the command finds.
# shellcheck disable=SC2016 # for the shell inside
run as_user rootlesskit sh -c 'id -u; id -g; cat /proc/self/uid_map; echo $ROOTLESSKIT_PARENT_EUID'
range=$(grep "^$user:" /etc/subuid | tr ':' ' ')
read -r _ start count <<<"$range"
is "root, mapped to the user, sub-ids from 1 on" "$(echo "$out" | xargs)" \
    "0 0 0 $uid 1 1 $start $count $uid"
run as_user sh -c 'umask 027; exec rootlesskit sh -c umask'
is "the umask is the caller's" "$out" "0027"
run as_user rootlesskit sh -c 'ls /proc/self/fd | tr "\n" " "'
is "no fd but 0, 1, 2 (3 is ls's own)" "$out" "0 1 2 3 "
run as_user rootlesskit env
unlike "no variable of ours but the documented" "$out" "_ROOTLESSKIT"
run as_user script -qec "rootlesskit --pidns bash -c 'tty; echo DONE'" /dev/null
like "the terminal stays with --pidns" "$out" "/dev/pts/[0-9]+.*DONE"

# Signals to the parent.
start_kit sh -c 'trap "echo GOT-TERM; exit 7" TERM; echo UP; while :; do sleep 0.1; done'
wait_for 10 grep -q UP "$work/kit.log" || true
kill -TERM "$kit"
status=0
wait "$kit" || status=$?
is "SIGTERM reaches the command, whose status counts" "$status" 7
like "once" "$(grep -c GOT-TERM "$work/kit.log")" '^1$'
ok "then all processes are gone" wait_for 5 family_gone
ok "and the state directory" test ! -e "$state"

# A daemon that the command left behind.
run as_user rootlesskit sh -c '(setsid sleep 1000 &) ; exit 3'
is "the command's status, not the daemon's" "$rc" 3
ok "the daemon ended with it" wait_for 5 family_gone

# Death of each process. All with a network, a port, a mount and a detached grandchild.
port=$(free_port)
before=$(namespaces)
# shellcheck disable=SC2016
busy='mount -t tmpfs tmpfs /mnt; (setsid sleep 1000 &); (setsid sh -c "sleep 1000; sleep 1000" &); sleep 1000'
start_busy() {
    start_kit --net=gateway --port-driver=builtin --copy-up=/etc --publish="127.0.0.1:$port:80/tcp" sh -c "$busy"
}
check_clean() {
    ok "$1: no process is left" wait_for 5 family_gone
    ok "$1: no state directory" wait_for 5 test ! -e "$state"
    is "$1: no namespace" "$(namespaces)" "$before"
    is "$1: no mount" "$(grep -c rootlesskit /proc/self/mountinfo || true)" 0
    is "$1: the port is free" "$(ss -ltnH "sport = :$port")" ""
}
start_busy
is "while it runs the port listens" "$(ss -ltnH "sport = :$port" | wc -l)" 1
kill -KILL "$kit"
wait "$kit" 2>/dev/null || true
check_clean "SIGKILL of the parent"

start_busy
kill -KILL "$(cat "$state/child_pid")"
status=0
wait "$kit" || status=$?
is "SIGKILL of the child ends the parent with an error" "$status" 1
check_clean "SIGKILL of the child"

start_busy
child=$(cat "$state/child_pid")
plane=$(pgrep -P "$kit" | grep -vx "$child")
kill -KILL "$plane"
status=0
wait "$kit" || status=$?
is "SIGKILL of the network process too" "$status" 1
like "and says so" "$(cat "$work/kit.log")" "network process ended unexpectedly"
check_clean "SIGKILL of the network process"

# The state directory.
start_busy
old=$(cat "$state/child_pid")
kill -KILL "$kit"
start_busy
is_new() { [ -e "$state/api.sock" ] && [ "$(cat "$state/child_pid")" != "$old" ]; }
ok "a new instance starts at once where one was killed" wait_for 10 is_new
run as_user rootlesskit --state-dir="$state" true
is "a second one on the same directory is refused" "$rc" 1
like "with the reason" "$err" "another RootlessKit is running with the same state directory"
ok "the first goes on" test -e "$state/child_pid"
is "its socket is the user's alone" "$(stat -c %a "$state/api.sock")" 600
stop_kit
install -d -m 700 -o "$uid" -g "$gid" "$runtime/other"
as_user touch "$runtime/other/mine" "$runtime/other/child_pid"
as_user rootlesskit --state-dir="$runtime/other" true
ok "files that are not ours stay in a state directory" test -e "$runtime/other/mine"

# Side by side and in a row.
pids=()
for i in $(seq 20); do
    start_as_user rootlesskit --net=gateway --state-dir="$runtime/many$i" sh -c 'ip -br addr show tap0; sleep 1' >"$work/many$i" 2>&1
    pids+=("$pid")
done
failed=0
for p in "${pids[@]}"; do wait "$p" || failed=$((failed + 1)); done
is "20 instances with a network side by side" "$failed" 0
is "each with its own interface" "$(cat "$work"/many* | grep -c 10.0.2.100)" 20
# One state directory for all of them, as a service that restarts has; killed every tenth time.
mounts=$(wc -l </proc/self/mountinfo)
failed=0
for i in $(seq 200); do
    if [ $((i % 10)) -eq 0 ]; then
        start_kit --net=gateway --copy-up=/etc --port-driver=builtin --publish="127.0.0.1:$port:80/tcp" sleep 1000
        [ -e "$state/api.sock" ] || failed=$((failed + 1))
        kill -KILL "$kit"
        wait "$kit" 2>/dev/null || true
    else
        as_user rootlesskit --state-dir="$runtime/kit" --net=gateway --copy-up=/etc --port-driver=builtin \
            --publish="127.0.0.1:$port:80/tcp" true 2>/dev/null || failed=$((failed + 1))
    fi
done
is "200 in a row, on one state directory and one port" "$failed" 0
ok "leave no process" wait_for 5 family_gone
is "no mount" "$(wc -l </proc/self/mountinfo)" "$mounts"
is "no state directory" "$(state_dirs)" ""
is "and no namespace" "$(namespaces)" "$before"
done_testing
