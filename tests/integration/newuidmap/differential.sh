#!/bin/bash
# The same command by the distribution's newuidmap and newgidmap and by ours: exit status, map and
# setgroups must agree. Where ours differs on purpose, the reason stands in the table.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

if [ ! -u /usr/bin/newuidmap ] || [ ! -u /usr/bin/newgidmap ]; then
    skip_all "no set-user-ID /usr/bin/newuidmap to compare with (package uidmap)"
fi

blank=' '
cat >/etc/subuid <<END
# a comment
rltest-alice:100000:65536

rltest-alice:165536:1000
rltest-alice:200000:0
 rltest-alice:210000:10
rltest-alice: 220000:10
rltest-alice:230000:10$blank
rltest-alice:240000:10:
rltest-alice:0x3d090:10
rltest-alice:0750220:10
rltest-alice:+270000:10
rltest-alice:-5:10
rltest-alice::10
$alice:300000:10
0$alice:310000:10
rltest-bob:400000:65536
rltest-bob:100000:10
rltest-ghost:500000:10
+rltest-alice:600000:10
-rltest-alice:610000:10
rltest-alice:4294967290:5
rltest-alice:4294967290:6
rltest-alicex:620000:10
rltest-alic:630000:10
END
cp /etc/subuid /etc/subgid

one() { # BINARY KIND USER ARGS...: $outcome of it on a fresh target
    local binary=$1 kind=$2 user=$3
    shift 3
    start_target "$user"
    run as "$user" "$binary" "$target" "$@"
    outcome="status $rc, map \"$(map_of "${kind}_map")\", setgroups $(cat "/proc/$target/setgroups")"
    kill -KILL "$target"
}

both() { # USER ARGS...
    local kind theirs theirs_err
    for kind in uid gid; do
        one /usr/bin/new${kind}map $kind "$@"
        theirs=$outcome theirs_err=$err
        one "$bin/new${kind}map" $kind "$@"
        [ "$outcome" = "$theirs" ] && bad=0 || bad=1
        report "$bad" "new${kind}map, uid $*" "theirs: $theirs ($theirs_err)
ours: $outcome ($err)"
    done
}

differs() { # REASON OURS THEIRS USER ARGS...: exit statuses that differ on purpose, both programs
    local reason=$1 ours=$2 theirs=$3 kind got
    shift 3
    for kind in uid gid; do
        one /usr/bin/new${kind}map $kind "$@"
        got=$rc
        one "$bin/new${kind}map" $kind "$@"
        [ "$got $rc" = "$theirs $ours" ] && bad=0 || bad=1
        report "$bad" "new${kind}map, uid $*: differs, $reason" "theirs: $got, ours: $rc ($err)"
    done
}

while read -r user args; do
    # shellcheck disable=SC2086 # words on purpose
    both "$user" $args
done <<END
$alice 0 $alice 1
$alice 7 $alice 1
$alice 0 $alice 2
$alice 0 $alice 1 1 100000 65536
$alice 0 $alice 1 1 100000 66536
$alice 0 100000 1 1 $alice 1
$alice 0 100000 65536
$alice 0 100000 65537
$alice 0 100000 66536
$alice 0 100000 66537
$alice 0 99999 1
$alice 0 165535 2
$alice 0 200000 1
$alice 0 210000 1
$alice 0 220000 10
$alice 0 230000 1
$alice 0 250000 10
$alice 0 250000 11
$alice 0 251024 10
$alice 0 270000 10
$alice 0 300000 10
$alice 0 400000 1
$alice 0 500000 1
$alice 0 600000 1
$alice 0 610000 1
$alice 0 620000 1
$alice 0 630000 1
$alice 0 4294967290 5
$alice 0 4294967290 6
$alice 4294967290 100000 5
$alice 4294967294 100000 1
$alice 0 $bob 1
$alice 0 0 1
$bob 0 $bob 1
$bob 0 400000 65536
$bob 0 100000 10
$bob 0 100000 11
$bob 0 100000 10 10 400000 10
$bob 0 100000 10 9 400000 10
$bob 0 100000 10 10 100005 5
$alice 0 0x186a0 0x10
$alice 0 0303240 020
$alice 0 +100000 +1
$alice 0 100000 0
$alice 0 100000 -1
$alice -1 100000 1
$alice 0 100000 1x
$alice x 100000 1
$alice 0 100000
$alice 0 100000 1 2
$alice 0 4294967295 1
$alice 4294967295 100000 1
$alice 0 4294967296 1
$alice 0 4295067296 1
$alice 0 18446744073709551616 1
$alice 0 100000 4294967295
$alice 0 100000 1 1 100001 1 2 100002 1 3 100003 1 4 100004 1 5 100005 1 6 100006 1
$alice 5 100000 1 3 100001 1 1 100002 1
$alice 0 100000 1 1 100001 1 0 100002 1
END
differs "nothing to map touches nothing, not even setgroups" 1 1 $alice
differs "shadow ignores lines with a fourth field since 4.14" 1 0 $alice 0 240000 1
differs "shadow takes numeric owners with zeros in front since 4.14" 0 1 $alice 0 310000 10

done_testing
