#!/bin/bash
# Two writers at once lose nothing, and no two users ever share an id.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

rounds=20
fresh
for i in $(seq $((2 * rounds))); do
    echo "user$i:x:$((2000 + i)):100::/:/bin/sh" >>"$root/etc/passwd"
done

# $1: the first user's number; every second from there
adder() {
    for i in $(seq "$1" 2 $((2 * rounds))); do
        "$setup" subid add --root "$root" "user$i" >/dev/null || return 1
    done
}

# FILE: how many users, and how many ranges that begin before the one before has ended
summary() {
    sort -t: -k2n "$1" | awk -F: '
        $2 < end { overlaps++ }
        { end = $2 + $3; users[$1] = 1 }
        END { n = 0; for (u in users) n++; print n, overlaps + 0 }'
}

status=0
adder 1 & first=$!
adder 2 & second=$!
wait $first || status=1
wait $second || status=1
is "both adders end well" $status 0
is "every user is there, without overlap" "$(summary "$root/etc/subuid")" "$((2 * rounds)) 0"
is "uids and gids are the same" "$(sort "$root/etc/subuid")" "$(sort "$root/etc/subgid")"
is "no lock and no temporary file is left" "$(find "$root/etc" -name '*.*' | wc -l)" 0

# A writer that is killed leaves a state the next one copes with.
for i in $(seq 10); do
    "$setup" subid add --root "$root" --count $((70000 + i)) user1 user2 >/dev/null 2>&1 &
    victim=$!
    kill -9 $victim 2>/dev/null || true
    wait $victim 2>/dev/null || true
done
status=0
"$setup" subid add --root "$root" --count 80000 user3 >/dev/null || status=$?
is "after killed writers the next succeeds" $status 0
is "and nothing overlaps" "$(summary "$root/etc/subuid")" "$((2 * rounds)) 0"
done_testing
