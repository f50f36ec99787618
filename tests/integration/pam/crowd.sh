#!/bin/bash
# Many at once, none of whom was here before: 50 users log in by ssh four times each in the same moment,
# while root makes accounts. Then they come and go by su as fast as the machine lets them.
# shellcheck disable=SC2016,SC2119 # for shells inside; no option is an option
set -eu
# shellcheck source-path=SCRIPTDIR source=logins.sh
. "$(dirname "$0")/logins.sh"

use_programs
use_module wait=60
start_sshd
users=50 first=30001
mkdir -m 1777 "$work/crowd"
for ((i = 0; i < users; i++)); do
    id=$((first + i))
    echo "rltest-c$i:x:$id:$id::$work/home-c$i:/bin/sh" >>/etc/passwd
    echo "rltest-c$i:x:$id:" >>/etc/group
    echo "rltest-c$i:*:19000:0:99999:7:::" >>/etc/shadow
    install -d -m 700 -o $id -g $id "$work/home-c$i"
done

# Each says where it is, stays until its input ends, and then whether it kept what it had.
stay='touch $XDG_RUNTIME_DIR/$$ && echo $XDG_RUNTIME_DIR; cat; test -e $XDG_RUNTIME_DIR/$$ && echo kept'
logins() { # FROM TO PIPE: those of each user, as long as PIPE is written to
    local i j
    for ((i = 0; i < users; i++)); do
        for ((j = $1; j <= $2; j++)); do
            ssh -F "$work/ssh_config" -l "rltest-c$i" machine "$stay" <"$3" >"$work/crowd/$i-$j" 2>&1 7>&- 8>&- &
            clients+=($!)
        done
    done
}
opened() { [ "$(cat "$work"/crowd/*-* | grep -c ^/run/user/)" -ge "$1" ]; }
wait_clients() {
    wait "${clients[@]}" || true
    clients=()
}
# How many of FILE... are as they should be.
good() {
    local file count=0
    for file in "$@"; do
        i=${file##*/}
        [ "$(cat "$file")" != "/run/user/$((first + ${i%-*}))"$'\n'kept ] || count=$((count + 1))
    done
    echo $count
}
dirs() { find /run/user -mindepth 1 -maxdepth 1 -type d -perm 700 -printf '%f:%U\n' | awk -F: '$1 == $2' | wc -l; }
complain() { head -n 3 "$work"/crowd/*-* | grep -vE '^(==>|/run/user|kept|$)' | sort | uniq -c | head -n 5; }

mkfifo "$work/stay-a" "$work/stay-b"
exec 7<>"$work/stay-a" 8<>"$work/stay-b"
clients=()
logins 1 1 "$work/stay-a"
early=("${clients[@]}")
logins 2 4 "$work/stay-b"
for ((i = 0; i < 10; i++)); do
    useradd --uid $((40001 + i)) -M "rltest-made$i" || echo "$i" >>"$work/crowd/no-account"
done
ok "200 logins of $users users are open at once" wait_for 120 opened 200 || note "$(complain; logged | sort | uniq -c)"
is "each user has a directory of his own" "$(dirs)" $users
for kind in uid gid; do
    is "each has one range of ${kind}s" "$(grep -c '^rltest-c[0-9]*:[0-9]*:65536$' "/etc/sub$kind")" $users
done
is "the accounts that root made meanwhile are all there, with theirs" \
    "$(cat "$work/crowd/no-account" 2>/dev/null; grep -c '^rltest-made' /etc/subuid)" 10
run rootless-setup subid audit
is "nobody shares an id" "$rc" 0 || note "$out$err"
exec 7>&-
wait "${early[@]}" || true
is "50 of the logins end: each kept its directory to the end" "$(good "$work"/crowd/*-1)" $users
is "the others have theirs still" "$(dirs)" $users
exec 8>&-
wait_clients
is "so did the other 150" "$(good "$work"/crowd/*-[234])" $((users * 3))
clean_soon "nothing is left"
is "nothing went wrong on the way" "$(logged | grep -vc 'was given the subordinate')" 0 || note "$(logged | sort | uniq -c)"

# To and fro: every open meets a close.
rm "$work"/crowd/*
come_and_go() { # USER: eight times, two at a time
    local i
    for i in 1 2 3 4; do
        su - "rltest-c$1" -c "$stay" >"$work/crowd/$1-$i" 2>&1 </dev/null &
        su - "rltest-c$1" -c "$stay" >"$work/crowd/$1-1$i" 2>&1 </dev/null
        wait $!
    done
}
for ((i = 0; i < users / 2; i++)); do
    come_and_go $i &
    clients+=($!)
done
wait_clients
is "200 sessions, opened while others of the same user close" "$(good "$work"/crowd/*-*)" 200
[ "$(good "$work"/crowd/*-*)" = 200 ] || note "$(complain; logged | sort | uniq -c)"
clean_soon "nothing is left"
is "nobody got a second range" "$(sort "/etc/subuid" | cut -d: -f 1 | uniq -d)" ""
done_testing
