#!/bin/bash
# shadow's tools and ours exclude one another.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

command -v usermod >/dev/null || skip_all "usermod is not installed"
root=$work/etc
rounds=15
for i in $(seq $rounds) shadow; do
    useradd -M -N -K SUB_UID_COUNT=0 -K SUB_GID_COUNT=0 "rltest-$i" 2>/dev/null
done
printf '# kept\n' | tee /etc/subuid >/etc/subgid

theirs() {
    for i in $(seq $rounds); do
        first=$((3000000 + i * 1000))
        usermod --add-subuids $first-$((first + 9)) --add-subgids $first-$((first + 9)) rltest-shadow ||
            return 1
    done
}
ours() {
    for i in $(seq $rounds); do
        "$setup" subid add "rltest-$i" >/dev/null || return 1
    done
}
status=0
theirs & first=$!
ours & second=$!
wait $first || status=1
wait $second || status=2
is "both run to their end" $status 0
for file in /etc/subuid /etc/subgid; do
    is "$file: no range of usermod is lost" "$(grep -c '^rltest-shadow:' $file)" $rounds
    is "$file: no range of ours is lost" \
        "$(grep '^rltest-[0-9]' $file | cut -d: -f1 | sort -u | wc -l)" $rounds
    is "$file: comments stay" "$(grep -c '^# kept$' $file)" 1
done

# useradd's lock on the whole user database, held by a live process
mkfifo "$work/ready"
python3 -c "
import fcntl, os, time
f = open('/etc/.pwd.lock', 'w')
fcntl.lockf(f, fcntl.LOCK_EX)
os.close(os.open('$work/ready', os.O_WRONLY))
time.sleep(600)" &
holder=$!
: <"$work/ready"
rm "$work/ready"
refused "lckpwdf held by another" 1 "/etc/.pwd.lock is locked by process $holder (python3)" \
    "$setup" subid add --wait 0 --count 70000 rltest-1
kill $holder
wait $holder 2>/dev/null || true

sleep 600 &
holder=$!
printf '%d\0' $holder >/etc/subuid.lock
refused "a lock file of another" 1 "/etc/subuid is locked by process $holder (sleep)" \
    "$setup" subid add --wait 0 --count 70000 rltest-1
kill $holder
wait $holder 2>/dev/null || true
is "shadow reads what we wrote" "$(rm -f /etc/subuid.lock; command -v getsubids >/dev/null &&
    getsubids rltest-1 | cut -d' ' -f2,4)" "rltest-1 65536"
done_testing
