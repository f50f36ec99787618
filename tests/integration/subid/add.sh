#!/bin/bash
# subid add: whom it serves, what login.defs and nsswitch.conf change, what it says.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

add() {
    "$setup" subid add --root "$root" "$@"
}
owners() {
    cut -d: -f1 "$root/etc/subuid" | tr '\n' ' '
}
# A tree with a few more users and groups.
crowd() {
    fresh
    cat >>"$root/etc/passwd" <<'END'
carol:x:1010:200::/:/bin/sh
dave:x:1011:200::/:/bin/sh
carol2:x:1010:200::/:/bin/sh
daemon:x:2:2::/:/usr/sbin/nologin
nobody:x:65534:65534::/:/usr/sbin/nologin
END
    sed -i '/^evil\|^1234\|^-dash/d' "$root/etc/passwd"
    printf 'staff:x:200:bob,alice,ghost\nops:x:201:carol2,alice\n' >>"$root/etc/group"
}

# ---- whom ----
crowd
add --all-users >/dev/null
is "all users: those who log in, by uid, each uid once" "$(owners)" "alice bob carol dave "
is "blocks side by side" "$(cut -d: -f2 "$root/etc/subuid" | tr '\n' ' ')" "100000 165536 231072 296608 "
is "the same as gids" "$(cat "$root/etc/subgid")" "$(cat "$root/etc/subuid")"
before=$(fingerprint)
add --all-users >/dev/null
add --group staff --group ops dave >/dev/null 2>&1
is "again, by other ways: nothing changes" "$(fingerprint)" "$before"

crowd
run add --group staff
is "a group: listed members, then those of the primary group" "$(owners)" "bob alice carol dave "
like "a listed name that is no user is said" "$err" "ghost is listed in a group but is no user"
crowd
add dave -g ops,201 carol2 >/dev/null
is "words and groups, in the order of the command line" "$(owners)" "dave carol2 alice "
crowd
printf '# the team\n\n  bob \n1000\r\nalice\ncarol' | add dave - alice >/dev/null
is "standard input among words" "$(owners)" "dave bob alice carol "
crowd
printf 'alice\n\n# x\nmallory\nbob\n' >"$work/list"
refused "a bad name is named with its line" 1 'standard input, line 4: there is no user "mallory"' \
    "$setup" subid add --root "$root" bob - <"$work/list"
printf 'ali\0ce\n' >"$work/list"
refused "a byte of 0" 1 "line 1" "$setup" subid add --root "$root" - <"$work/list"
refused "standard input twice" 1 "once" "$setup" subid add --root "$root" - - </dev/null
is "an empty list is nobody" "$(add - </dev/null; find "$root/etc" -name 'sub*')" ""
refused "no such group" 1 'there is no group "frob"' add --group frob
refused "--range for a group" 2 "for one user" add --range 1-2 --group staff
printf 'alice\nbob\n' >"$work/list"
refused "--range for a list of two" 1 "for one user, these are 2" \
    "$setup" subid add --root "$root" --range 200000-200001 - <"$work/list"

# ---- how many, and which ----
crowd
is "several ranges" "$(add --range 200000-200009 --range 300000-300000,400000-400001 alice)" \
    "alice: 10 uids and gids from 200000 to 200009
alice: 1 uids and gids from 300000 to 300000
alice: 2 uids and gids from 400000 to 400001"
is "a line each" "$(cat "$root/etc/subgid")" "alice:200000:10
alice:300000:1
alice:400000:2"
refused "ranges that overlap" 1 "500000-500009 and 500009-500010 overlap" \
    add --range 500000-500009 --range 500009-500010 alice
refused "one of them taken: none is given" 1 "the range of alice" \
    add --range 600000-600001 --range 300000-300001 bob
is "a range larger than the window" "$(echo 'SUB_UID_MAX 100010' >"$root/etc/login.defs"
    add --range 700000-1699999 bob)" "bob: 1000000 uids and gids from 700000 to 1699999"

# ---- login.defs ----
crowd
printf 'SUB_UID_DETERMINISTIC yes\nSUB_GID_DETERMINISTIC yes\n' >"$root/etc/login.defs"
is "the uid decides" "$(add bob)" "bob: 65536 uids and gids from 131072 to 196607"
refused "a count of one's own" 1 "SUB_UID_COUNT for everybody" add --count 5 alice
refused "a uid below the first" 1 "root: uid 0 is below UID_MIN (1000)" add root
printf 'bob:65536:1\n' >>"$root/etc/subuid"
refused "a collision names whose it is" 1 "the range of bob (65536-65536)" add carol alice
crowd
add alice >/dev/null
refused "drift is said" 1 "alice has drifted: /etc/subuid has 100000-165535 for him, his uid 1000 stands for 65536-131071" \
    add --deterministic alice bob
refused "--deterministic with a count" 2 "--count" add --deterministic --count 5 bob
crowd
echo 'SUB_GID_STORE_BY_UID yes' >"$root/etc/login.defs"
add bob >/dev/null
is "owners by number, in the file that asks for it" "$(cat "$root/etc/subuid" "$root/etc/subgid")" \
    "bob:100000:65536
1001:100000:65536"
before=$(fingerprint)
add bob >/dev/null
is "and found again" "$(fingerprint)" "$before"

# ---- nsswitch.conf ----
crowd
echo 'subid: sss' >"$root/etc/nsswitch.conf"
refused "another source" 1 "come from \"sss\" (the subid: line of $root/etc/nsswitch.conf)" add alice
refused "another source, dry run" 1 "come from" add -n alice
refused "another source, del" 1 "come from" "$setup" subid del --root "$root" alice
echo 'subid: files sss' >"$root/etc/nsswitch.conf"
ok "files before another source" add alice
root=$work/etc
echo 'subid: rltest' >>/etc/nsswitch.conf
refused "of this host" 1 'the ranges of this host come from "rltest"' "$setup" subid add nobody
sed -i '/^subid: rltest/d' /etc/nsswitch.conf

# ---- through the name services ----
root=$work/root
useradd -M -K SUB_UID_COUNT=0 -K SUB_GID_COUNT=0 rltest-a
useradd -M -K SUB_UID_COUNT=0 -K SUB_GID_COUNT=0 -o -u "$(id -u rltest-a)" rltest-b
groupadd rltest-group
gpasswd -a rltest-b rltest-group >/dev/null
: >/etc/subuid
: >/etc/subgid
"$setup" subid add --group rltest-group >/dev/null
is "a member by another name of his uid" "$(cut -d: -f1 /etc/subuid)" rltest-b
like "his ranges count for his first name too" "$("$setup" subid add rltest-a)" "rltest-a: has 65536 uids"

# ---- JSON ----
crowd
if command -v python3 >/dev/null; then
    is "as JSON, several ranges of one user" "$(add --json -n -r 200000-200009 -r 300000-300000 alice |
        python3 -c 'import json, sys
d = json.load(sys.stdin)
u, = d["users"]
print(d["changed"], d["dry_run"], u["uid"], u["gids"]["had"], [r["start"] for r in u["uids"]["added"]])')" \
        "True True 1000 0 [200000, 300000]"
else
    skip "as JSON, several ranges of one user" "python3 is not installed"
fi

# ---- ten thousand ----
crowd
for ((i = 0; i < 10000; i++)); do
    echo "u$i:x:$((5000 + i)):5000::/:/bin/sh"
done >>"$root/etc/passwd"
cut -d: -f1 "$root/etc/passwd" | grep '^u[0-9]' | sort -R >"$work/list"
# More than the window holds: it ends at 9155 blocks.
refused "more users than blocks: none is served" 1 "SUB_UID_MAX" add - <"$work/list"
# A time limit only so that a quadratic search does not hang the test; it takes a fraction of a second.
ok "ten thousand users in one command" timeout 60 "$setup" subid add --root "$root" --count 50000 - <"$work/list"
is "all of them" "$(cut -d: -f1 "$root/etc/subuid" | sort -u | wc -l)" 10000
is "without overlap" "$(sort -t: -k2n "$root/etc/subuid" | awk -F: '$2 < end { n++ } { end = $2 + $3 } END { print n + 0 }')" 0
done_testing
