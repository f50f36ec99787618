#!/bin/bash
# 200 sessions of 50 users at once: no range is lost or given twice, no directory leaks or goes early.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

users=50 each=4
service wait=60
: >/etc/subuid
: >/etc/subgid
for i in $(seq $users); do
    echo "rltest-$i:x:$((30000 + i)):100::/nonexistent:/bin/sh" >>/etc/passwd
done

# How many owners have a line, and how many ranges begin before the one before has ended
summary() { # FILE
    sort -t: -k2n "$1" | awk -F: '
        $2 < end { overlaps++ }
        { end = $2 + $3; lines++; owners[$1] = 1 }
        END { n = 0; for (o in owners) n++; print lines, n, overlaps + 0 }'
}

# A session that looks for its directory when it opens and again before it closes.
session() { # NUMBER
    local dir=/run/user/$((30000 + $1))
    "$host_program" rltest "rltest-$1" open \
        sh="test -O $dir -o -d $dir || echo $1: no directory; sleep 0.$((RANDOM % 5)); test -d $dir || echo $1: gone early" \
        close </dev/null
}

round() { # NAME
    local i n pids=()
    for ((n = 0; n < each; n++)); do
        for i in $(shuf -i 1-$users); do
            session "$i" >>"$work/said" 2>&1 &
            pids+=($!)
        done
    done
    wait "${pids[@]}" || true
    is "$1: every session has its directory to its end" "$(sort "$work/said" | head -n 5)" ""
    is "$1: $users users have one range each, none overlap" "$(summary /etc/subuid)" "$users $users 0"
    is "$1: gids are the same" "$(sort /etc/subgid)" "$(sort /etc/subuid)"
    is "$1: no directory and no state is left" "$(find /run/user /run/rootless-toolkit/pam -mindepth 1)" ""
    is "$1: no lock is left" "$(find /etc -maxdepth 1 -name 'sub*.*')" ""
    is "$1: nothing was complained about" "$(logged | grep -v ' was given the ' || true)" ""
}

round "first logins"
before=$(cat /etc/subuid)
round "later ones"
is "which change no range" "$(cat /etc/subuid)" "$before"

# One user, two hundred sessions that overlap in time; a directory must be there in each.
pids=()
for _ in $(seq 200); do
    session 1 >>"$work/said" 2>&1 &
    pids+=($!)
done
wait "${pids[@]}" || true
is "200 sessions of one user" "$(sort "$work/said" | head -n 5)" ""
is "and nothing is left" "$(find /run/user /run/rootless-toolkit/pam -mindepth 1)" ""
done_testing
