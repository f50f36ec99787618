#!/bin/bash
# Where nsswitch.conf names a plug-in for subordinate ids, every program goes by it and by it alone.
set -eu
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

libexec=$1
use_programs
make_user alice
sed -i '/^subid:/d' /etc/nsswitch.conf
echo "subid: rltest files" >>/etc/nsswitch.conf
plugins=$BUILD_ROOT/tests/plugins
mkdir "$work/plugins"
cp "$plugins"/libsubid_*.so "$work/plugins/"
env_user=(LD_LIBRARY_PATH="$work/plugins")

run as_user "$BUILD_ROOT/getsubids/getsubids" rltest-alice
is "getsubids" "$out" "0: rltest-alice 200000 1000
1: rltest-alice 400000 65536"
run as_user "$BUILD_ROOT/getsubids/getsubids" -g "$uid"
is "getsubids asks by the name of a uid" "$out" "0: $uid 300000 1000
1: $uid 400000 65536"

run as_user rootless-setup subid list rltest-alice
is "subid list" "$(tr -s ' ' <<<"$out")" "rltest-alice uid 200000 - 200999 1000
rltest-alice uid 400000 - 465535 65536
rltest-alice gid 300000 - 300999 1000
rltest-alice gid 400000 - 465535 65536"
run as_user rootless-setup subid list --json rltest-alice
is "subid list --json" "$(tr -d ' \n' <<<"$out" | sed 's/"version":"[^"]*",//')" '{"schema":1,"ranges":[{"kind":"uid","owner":"rltest-alice","start":200000,"count":1000},{"kind":"uid","owner":"rltest-alice","start":400000,"count":65536},{"kind":"gid","owner":"rltest-alice","start":300000,"count":1000},{"kind":"gid","owner":"rltest-alice","start":400000,"count":65536}]}'
run as_user rootless-setup subid list none
is "subid list of one without ranges" "$rc" 1
like "which names the source" "$err" 'no subordinate ids in the source "rltest"'
run as_user rootless-setup subid list unknown
is "subid list of one whom it does not know" "$rc" 1
run as_user rootless-setup subid list conn
like "subid list without connection" "$err" "is its service running"
run as_user rootless-setup subid list
is "subid list of everybody cannot be" "$rc" 1
like "which is said" "$err" "one user only"
run as_user rootless-setup subid list --root / rltest-alice
is "--root / is the machine itself" "$rc" 0
mkdir -p "$work/image/etc"
echo "rltest-alice:5:5" >"$work/image/etc/subuid"
run as_user rootless-setup subid list --root "$work/image" rltest-alice
is "an image has files of its own" "$(tr -s ' ' <<<"$out")" "rltest-alice uid 5 - 9 5"

run as_user rootless-setup check subid
is "check: a good plug-in" "$rc" 0
like "check: where the ranges come from" "$out" '66536 uids and 66536 gids in the source "rltest"'
sed -i 's/^subid:.*/subid: rltestmissing/' /etc/nsswitch.conf
run as_user rootless-setup check subid
is "check: a plug-in that is not there" "$rc" 1
like "which is named" "$out" 'libsubid_rltestmissing.so.*nsswitch.conf'
unlike "and the files are not the remedy" "$out" 'subid add'
run as_user "$bin/rootlesskit" true
isnt "rootlesskit does not fall back to the files" "$rc" 0
like "and says why" "$err" "libsubid_rltestmissing.so"
sed -i 's/^subid:.*/subid: rltest/' /etc/nsswitch.conf

# all the way: newuidmap asks rootless-nss, which finds the plug-in as any program finds a library
lay_over() {
    local at=$1
    while [ ! -d "$at" ]; do
        at=$(dirname "$at")
    done
    case $at in
    / | /usr) return 1 ;;
    esac
    mount -t tmpfs -o mode=755 tmpfs "$at" && mkdir -p "$1"
}
if ! lay_over "$libexec"; then
    skip "rootlesskit maps a plug-in's ranges" "cannot put rootless-nss into $libexec"
    done_testing
    exit
fi
install -m 711 "$BUILD_ROOT/newuidmap/rootless-nss" "$libexec/rootless-nss"
echo "$work/plugins" >/etc/ld.so.conf.d/rltest.conf
[ ! -d /var/cache/ldconfig ] || mount -t tmpfs tmpfs /var/cache/ldconfig # its own cache stays
ldconfig
run as_user rootlesskit cat /proc/self/uid_map /proc/self/gid_map
is "rootlesskit maps a plug-in's ranges" "$(tr -s ' ' <<<"$out")" " 0 $uid 1
 1 200000 1000
 1001 400000 65536
 0 $gid 1
 1 300000 1000
 1001 400000 65536"
run as_user rootlesskit --subid-source=static true
is "--subid-source=static goes by the files, and newuidmap does not" "$rc" 1
like "which it says" "$err" 'uid range .* not allowed: "subid: rltest"'
run as_user rootlesskit --subid-source=dynamic cat /proc/self/uid_map
is "--subid-source=dynamic maps a plug-in's ranges" "$(tr -s ' ' <<<"$out" | tail -1)" " 1001 400000 65536"
run as_user rootlesskit --subid-slice=900:200 --state-dir="$home/st" cat /proc/self/uid_map
is "and --subid-slice a piece of them" "$(tr -s ' ' <<<"$out")" " 0 200900 100
 100 400000 100"
run as_user rootless-setup check newuidmap
like "check: newuidmap grants them" "$out" "mapped 66537 uids"
done_testing
