#!/bin/bash
# A thousand changes, shadow's and ours at the same time: none is lost.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

command -v usermod >/dev/null || skip_all "usermod is not installed"
# In memory: what is raced for is the locks, not the disk.
mkdir "$work/mem"
mount -t tmpfs rltest-race "$work/mem"
mkdir "$work/mem/etc" "$work/mem/state"
cp -a /etc/. "$work/mem/etc/"
mount --bind "$work/mem/etc" /etc
mount --bind "$work/mem/state" /var/lib/rootless-toolkit
rounds=500
for i in $(seq $rounds) shadow; do
    echo "rltest-$i:x:$((20000 + ${i/shadow/0})):100::/:/bin/sh" >>/etc/passwd
done
printf '# kept\n' | tee /etc/subuid >/etc/subgid

# usermod; every fifth time a user comes, and goes the next, with all of the files' lines.
theirs() {
    local i first
    for i in $(seq $rounds); do
        first=$((3000000 + i * 1000))
        case $((i % 10)) in
            1) useradd -M -N "rltest-new-$i" 2>/dev/null || return 1 ;;
            6) userdel "rltest-new-$((i - 5))" 2>/dev/null || return 2 ;;
            *) usermod --add-subuids $first-$((first + 9)) --add-subgids $first-$((first + 9)) rltest-shadow ||
                return 3 ;;
        esac
    done
}
# add; every tenth time what the add before gave is taken back, and given again.
ours() {
    local i
    for i in $(seq $rounds); do
        "$setup" subid add --wait 60 --count 10 "rltest-$i" >/dev/null || return 1
        [ $((i % 10)) -ne 0 ] || { "$setup" subid undo --wait 60 && "$setup" subid add --wait 60 --count 10 "rltest-$i"; } \
            >/dev/null || return 2
    done
}
status=0
theirs >"$work/theirs" 2>&1 & first=$!
ours >"$work/ours" 2>&1 & second=$!
wait $first || status="theirs: $?, $(tail -n 3 "$work/theirs")"
wait $second || status="$status ours: $?, $(tail -n 3 "$work/ours")"
is "both run to their end" "$status" 0
for file in /etc/subuid /etc/subgid; do
    is "$file: no range of usermod is lost" "$(grep -c '^rltest-shadow:' $file)" $((rounds * 8 / 10))
    is "$file: each of ours has its one range" \
        "$(grep -c '^rltest-[0-9]' $file) $(grep '^rltest-[0-9]' $file | cut -d: -f1 | sort -u | wc -l)" "$rounds $rounds"
    is "$file: users who are gone have none" "$(grep -c '^rltest-new' $file || true)" 0
    is "$file: the comment stays" "$(grep -c '^# kept$' $file)" 1
    is "$file: no two ranges overlap" "$(grep -v '^#' $file | sort -t: -k2n |
        awk -F: '$2 < end { n++ } { end = $2 + $3 } END { print n + 0 }')" 0
done
is "no lock and no other name is left" "$(find /etc -maxdepth 1 \( -name 'sub*.lock*' -o -name '*rootless*' \) | wc -l)" 0
done_testing
