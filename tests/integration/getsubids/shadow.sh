#!/bin/bash
# getsubids says what Debian's says of the same files, and what is better where that is documented.
set -eu
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

ours=$BUILD_ROOT/getsubids/getsubids
theirs=/usr/bin/getsubids
[ -x $theirs ] || skip_all "shadow's getsubids is not installed (package uidmap)"
sed -i '/^subid:/d' /etc/nsswitch.conf

make_user alice none
alice_uid=$uid
make_user bob none
useradd --non-unique --uid "$alice_uid" --no-create-home rltest-alias 2>/dev/null

same() {
    local name=$1
    shift
    run $theirs "$@"
    local status=$rc said=$out
    run "$ours" "$@"
    is "$name: output" "$out" "$said"
    is "$name: exit status" "$rc" "$status"
}
same_for_all() {
    local who
    for who in rltest-alice rltest-bob root rltest-nobody 4000000000; do
        same "$1: $who" "$who"
        same "$1: -g $who" -g "$who"
    done
}

cat >/etc/subuid <<END
# a comment
rltest-bob:100000:65536
rltest-alice:200000:65536

rltest-ghost:300000:65536
$alice_uid:400000:1000
rltest-alice:500000:0x1000
 rltest-alice:600000:1
rltest-alice:700000
rltest-alice:800000:x
+rltest-alice:900000:5
rltest-bob:1000000:010
END
printf 'rltest-alice:1000:5\n%s:2000:5\nrltest-bob:4294967294:1\n' "$alice_uid" >/etc/subgid
same_for_all "names, numbers, odd lines"
run "$ours" rltest-alice
is "what it looks like" "$out" "0: rltest-alice 200000 65536
1: rltest-alice 400000 1000
2: rltest-alice 500000 4096"

# shadow 4.13 compares words here; later ones compare users, and so do we
printf '%s\n' rltest-bob:100:1 rltest-alias:200:2 rltest-alice:300:3 "0$alice_uid:400:4" \
    rltest-ghost:500:5 >/etc/subuid
for who in rltest-alice rltest-alias "$alice_uid"; do
    run "$ours" "$who"
    is "the same user, as $who" "$out" "0: $who 200 2
1: $who 300 3
2: $who 400 4"
done
run "$ours" rltest-ghost
is "a name without a user has none" "$rc $out $err" "1  Error fetching ranges"

: >/etc/subuid
: >/etc/subgid
same_for_all "empty files"
rm /etc/subuid /etc/subgid
same_for_all "no files"

printf 'rltest-alice:200000:65536\nrltest-bob:300000:65536\n' >/etc/subuid
same "no word"
same "-h" -h
same "-g alone" -g
same "-g behind the user" rltest-alice -g
same "two users" rltest-alice rltest-bob
same "three words" -g rltest-alice rltest-bob
same "no name" ""
run "$ours"
like "usage" "$err" '^Usage: getsubids \[-g\] user'

printf 'rltest-bob:300000:65536\nrltest-alice:200000:65536' >/etc/subuid
run "$ours" rltest-alice
is "a last line without newline counts" "$out" "0: rltest-alice 200000 65536"
rm /etc/subuid
printf 'rltest-alice:200000:65536\n' >/etc/real
ln -s real /etc/subuid
same "a link in the file's place" rltest-alice
run "$ours" rltest-alice
like "and why" "$err" "symbolic link.*Error fetching ranges"
rm /etc/subuid /etc/real

printf '4000000001:200000:5\n' >/etc/subuid
run "$ours" 4000000001
is "a uid without name has its lines" "$out" "0: 4000000001 200000 5"

printf 'rltest-alice:200000:5\nrltest-alice:300000:6\n' >/etc/subgid
run "$ours" --json -g rltest-alice
is "JSON" "$(python3 -c 'import json, sys; print(json.load(sys.stdin))' <<<"$out")" \
    "{'user': 'rltest-alice', 'kind': 'gid', 'ranges': [{'start': 200000, 'count': 5}, {'start': 300000, 'count': 6}]}"
run "$ours" --json rltest-alice
is "JSON, none" "$rc $out" "1 "
run "$ours" --nonsense
is "an option that is none" "$rc" 1

# fleets: what shadow does in seconds must not come near that
python3 - <<'END'
with open("/etc/passwd", "a") as passwd, open("/etc/subuid", "w") as subuid:
    for i in range(20000):
        passwd.write(f"rltest-u{i}:x:{100000 + i}:100000::/:/bin/false\n")
        subuid.write(f"rltest-u{i}:{1000000 + i * 65536}:65536\n")
END
run "$ours" rltest-u19999
is "the last of 20000" "$out" "0: rltest-u19999 1311654464 65536"
run strace -c -f -o "$work/calls" "$ours" rltest-u19999
like "few system calls for 20000 lines" "$(awk 'END { print $3 < 2000 ? "few" : $0 }' "$work/calls")" few

done_testing
