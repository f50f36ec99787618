#!/bin/bash
# Programs built for shadow's libsubid, and for ours, ask and change through ours.
set -eu
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$0")/../lib.sh"

here=$SOURCE_ROOT/tests/integration/libsubid
built=$BUILD_ROOT/libsubid
sed -i '/^subid:/d' /etc/nsswitch.conf
sed -i '/^SUB_/d' /etc/login.defs

# as installed: the library and its older names
mkdir -p "$work/lib"
cp "$built/libsubid.so.6.0.0" "$work/lib/"
ln -s libsubid.so.6.0.0 "$work/lib/libsubid.so.6"
ln -s libsubid.so.6 "$work/lib/libsubid.so.4"
sanitizers=()
! nm -D "$work/lib/libsubid.so.6" | grep -q __asan_init || sanitizers=("-fsanitize=address,undefined")
export LD_LIBRARY_PATH=$work/lib

needs() { objdump -p "$1" | awk '$1 == "NEEDED" && /subid/ { print $2 }'; }
install -m 755 "$BUILD_ROOT/tests/integration/libsubid/libsubid-ask" "$work/ask6"
is "a program built for ours asks for version 6" "$(needs "$work/ask6")" libsubid.so.6
programs=(ask6)
if [ -e /usr/include/shadow/subid.h ] && command -v cc >/dev/null; then
    ok "a program against Debian's header and library" cc -Wall -Wextra -Werror \
        "${sanitizers[@]}" -o "$work/ask4" "$here/ask.c" -lsubid
    is "it asks for version 4" "$(needs "$work/ask4")" libsubid.so.4
    like "the loader gives it ours" "$(ldd "$work/ask4")" "libsubid.so.4 => $work/lib"
    programs+=(ask4)
else
    skip "a program against Debian's header and library" "libsubid-dev or a C compiler is not installed"
fi
is "nothing but subid_ functions is exported" \
    "$(nm -D --defined-only "$work/lib/libsubid.so.6" | awk '{ print $3 }' | grep -vc '^subid_')" 0

make_user alice none
alice=$uid
make_user bob none
bob=$uid
no_leftovers() {
    is "$1: no lock and no draft is left" "$(cd /etc && echo sub?id?*)" "${2:-subgid- subuid-}"
}

for program in "${programs[@]}"; do
    ask=$work/$program
    rm -f /etc/sub?id*
    answer() {
        local name="$program: $1" want=$2
        shift 2
        run "$ask" "$@"
        is "$name" "$out" "$want"
    }
    answer "no file is an error" -1 ranges uid rltest-alice
    like "$program: which is said" "$err" "^ask: .*/etc/subuid"
    run env ASK_SILENT=1 "$ask" ranges uid rltest-alice
    is "$program: or not, when nobody listens" "$err" ""

    printf 'rltest-bob:100000:65536\nrltest-alice:200000:10\nrltest-gone:200005:10\n%s:200007:3' \
        "$bob" >/etc/subuid
    printf '# gids\n' >/etc/subgid
    answer "ranges" "1 200000:10" ranges uid rltest-alice
    answer "ranges by number" "1 200000:10" ranges uid "$alice"
    answer "ranges of a number's lines" "2 100000:65536 200007:3" ranges uid rltest-bob
    answer "no ranges" 0 ranges gid rltest-alice
    answer "owners, one of them gone" "2 $alice $bob" owners uid 200008
    answer "owners, none" 0 owners uid 200020

    answer "a grant is the lowest gap" "yes 165536:1000" grant uid rltest-alice 1000
    answer "a second one follows" "yes 166536:1000" grant uid "$alice" 1000
    answer "reuse" "yes 165536:1000" grant uid rltest-alice 500 reuse
    answer "nothing to reuse" "yes 167536:2000" grant uid rltest-alice 2000 reuse
    answer "a gid grant leaves the uids alone" "yes 100000:65536" grant gid rltest-alice 65536
    is "$program: subgid" "$(cat /etc/subgid)" "# gids
rltest-alice:100000:65536"
    answer "no ids" "no 7:0" grant uid rltest-alice 0
    answer "more than there are" "no 7:4294967295" grant uid rltest-alice 4294967295
    answer "more than a number" "no 7:4294967297" grant uid rltest-alice 4294967297
    answer "nobody of that name" "no 7:1000" grant uid rltest-ghost 1000
    like "$program: which is said" "$err" 'no user "rltest-ghost"'

    answer "ungrant in the middle" "yes 166000:100" ungrant uid rltest-alice 166000 100
    answer "it is gone" "5 200000:10 165536:464 166100:436 166536:1000 167536:2000" \
        ranges uid rltest-alice
    answer "ungrant again" "no 166000:100" ungrant uid rltest-alice 166000 100
    answer "ungrant what wraps" "no 5:4294967295" ungrant uid rltest-alice 5 4294967295
    answer "ungrant somebody who is gone" "yes 200005:10" ungrant uid rltest-gone 200005 10
    answer "others keep theirs" "2 100000:65536 200007:3" ranges uid rltest-bob
    no_leftovers "$program"

    before=$(cat /etc/subuid)
    run env -u LD_LIBRARY_PATH setpriv --reuid "$alice" --regid "$gid" --clear-groups \
        env LD_LIBRARY_PATH="$work/lib" "$ask" grant uid rltest-alice 10
    is "$program: not without rights" "$rc" 1
    is "$program: the file is the same" "$(cat /etc/subuid)" "$before"
done

printf 'SUB_UID_MIN 500000\nSUB_UID_MAX 500999\nSUB_GID_MIN 500000\nSUB_GID_MAX 500999\n' \
    >>/etc/login.defs
answer "login.defs is kept to" "yes 500000:600" grant uid rltest-alice 600
answer "up to its end" "no 7:600" grant uid rltest-alice 600
sed -i '/^SUB_/d' /etc/login.defs

rm -f /etc/sub?id*
: >/etc/subuid
for i in 0 1 2 3 4 5 6 7; do useradd -M -N -K SUB_UID_COUNT=0 -K SUB_GID_COUNT=0 rltest-t$i 2>/dev/null; done
ok "eight threads at once" "$BUILD_ROOT/tests/integration/libsubid/libsubid-threads"
is "eight ranges, none twice" "$(cut -d: -f2 /etc/subuid | sort -u | wc -l)" 8

# a plug-in in the files' place
cp "$BUILD_ROOT"/tests/plugins/libsubid_rltest.so "$work/lib/"
printf 'subid: rltest\n' >>/etc/nsswitch.conf
answer "a plug-in's ranges, freed with free(3)" "2 200000:1000 400000:65536" ranges uid rltest-alice
answer "its owners" "2 1500 1501" owners uid 5
answer "its silence" -1 ranges uid conn
like "which is said" "$err" "is its service running"
answer "no grant beside a plug-in" "no 7:1000" grant uid rltest-alice 1000
like "which is said" "$err" 'come from the source "rltest"'
answer "no ungrant" "no 1:2" ungrant uid rltest-alice 1 2
is "the file is the same" "$(grep -c . /etc/subuid)" 8
sed -i 's/^subid:.*/subid: rltestmissing/' /etc/nsswitch.conf
answer "a plug-in that is not there is no reason for the files" -1 ranges uid rltest-t1
no_leftovers end subuid-

done_testing
