#!/bin/bash
# Peers that mean no good: whatever they send, others are served.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

# served DESCRIPTION: within half a minute, a user other than the attacker is
served() {
    start_target $bob
    check "$1" uid_map 0 "0 300000 10" "" as $bob timeout 30 "$asking_uidmap" "$target" 0 300000 10
}

fds_of() {
    find "/proc/$broker/fd" -mindepth 1 | wc -l
}
has_fds() {
    [ "$(fds_of)" -eq "$1" ]
}

start_broker "$uidmapd"
served "before"
wait_for 20 has_no_children
before=$(fds_of)

like "garbage" "$(peer $alice raw 4092 1)" "^[0-9]+ uidmapd speaks version 1"
like "a message that is short" "$(peer $alice raw 4091 1)" "^[0-9]+ uidmapd got no request"
like "a message of one byte" "$(peer $alice raw 1 1)" "^[0-9]+ uidmapd got no request"
like "a message that is long" "$(peer $alice raw 4093 1)" "^[0-9]+ uidmapd got no request"
like "a message of 100 000 bytes" "$(peer $alice raw 100000 1)" "^[0-9]+ uidmapd got no request"
is "an empty message" "$(peer $alice raw 0 0)" "end"
like "no fd" "$(peer $alice raw 4092 0)" "^[0-9]+ uidmapd takes one fd beside a request, not 0"
like "two fds" "$(peer $alice raw 4092 2)" "^[0-9]+ uidmapd takes one fd beside a request, not 2"
like "17 fds" "$(peer $alice raw 4092 17)" "^[0-9]+ uidmapd got no request"
like "253 fds" "$(peer $alice raw 4092 253)" "^[0-9]+ uidmapd got no request"
served "after all that"

start_target $alice
mine=$target
start_target $bob
like "another's process, past the client" "$(peer $alice many 1 100000 "$target")" "owned by a different user"
like "another's range, past the client" "$(peer $alice many 1 300000 "$mine")" "not allowed: /etc/subuid grants rltest-alice"
is "another's map is not written" "$(map_of uid_map)" ""
target=$mine
is "one's own map with another's range is not written" "$(map_of uid_map)" ""

# A thousand at once, twenty for each process: one of the twenty can win.
pids=()
for ((i = 0; i < 50; i++)); do
    start_target $alice
    pids+=("$target")
done
peer $alice many 1000 100000 "${pids[@]}" >"$work/said"
is "1 000 requests at once, all answered" "$(wc -l <"$work/said")" 1000
is "1 000 requests at once: one for each process is done" "$(grep -c '^0 ' "$work/said")" 50
is "1 000 requests at once: the rest came too late" "$(grep -c 'the map is already set' "$work/said")" 950
bad=0
for target in "${pids[@]}"; do
    [ "$(map_of uid_map)" = "0 100000 1" ] || bad=$((bad + 1))
done
is "1 000 requests at once: every map is written" "$bad" 0

peer $alice hello 200 >"$work/said" &
silent=$!
served "while 200 connections say nothing"
wait "$silent"
is "who says nothing is dismissed" "$(sort -u "$work/said" | cut -d ' ' -f 2-)" "uidmapd waited for the request in vain"
is "all 200 of them" "$(wc -l <"$work/said")" 200

# Closing one of these fds takes hours. The broker looks when all has been sent.
ip link set lo up 2>/dev/null || true
linger() { # N COMMAND...
    local n=$1
    shift
    kill -STOP "$broker"
    "$@" /usr/bin/python3 "$work/peer.py" linger "$n" >"$work/said" &
    lingering=$!
    wait_for 20 grep -q sent "$work/said"
    kill -CONT "$broker"
}
linger 8 as $alice
served "while workers hold what close(2) waits for"
wait "$lingering"
is "they come to an end, too" "$(wc -l <"$work/said")" 9
linger 20 as $alice unshare --user --map-current-user
wait "$lingering"
is "20 more, refused at the door" "$(grep -c 'only processes of its own user namespace' "$work/said")" 20
served "while the broker has them closed"

peer $alice flood "$work/stop" "$mine" >"$work/said" &
flood=$!
wait_for 20 grep -q flooding "$work/said"
for i in 1 2 3 4 5; do
    served "in a flood, $i"
done
touch "$work/stop"
wait "$flood"
like "the flood was answered, too" "$(tail -n 1 "$work/said")" "^[0-9]+$"

# Subordinate ids are no users: a namespace full of them is one peer that is turned away.
like "an id of a namespace" "$(as $alice unshare --user --map-current-user \
    /usr/bin/python3 "$work/peer.py" raw 4092 1)" "only processes of its own user namespace"

wait_for 40 has_no_children && bad=0 || bad=1
report "$bad" "no worker is left" "$(ps -o pid,ppid,user,stat,comm --ppid "$broker" 2>&1)"
wait_for 20 has_fds "$before" && bad=0 || bad=1
report "$bad" "no fd is left" "$(ls -l "/proc/$broker/fd")"
stop_broker TERM
is "and the broker is well" "$rc $(cat "$work/broker.log")" "0 "
done_testing
