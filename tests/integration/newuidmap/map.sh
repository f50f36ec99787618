#!/bin/bash
# What newuidmap and newgidmap write, and what they refuse.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

cat >/etc/subuid <<END
rltest-alice:100000:65536
rltest-alice:165536:10000
$alice:300000:10
rltest-bob:400000:65536
rltest-alice:3000000000:1000
rltest-alice:4294967285:10
rltest-alice:2000:1000
END
cp /etc/subuid /etc/subgid

# maps DESCRIPTION MAP ARGS...: on a fresh target of alice's, both programs accept and write MAP
maps() {
    local what=$1 map=$2
    shift 2
    start_target $alice
    check "newuidmap: $what" uid_map 0 "$map" "" as $alice "$newuidmap" "$target" "$@"
    check "newgidmap: $what" gid_map 0 "$map" "" as $alice "$newgidmap" "$target" "$@"
}

# refuses DESCRIPTION TEXT ARGS...: both refuse, say TEXT (with @ for u or g) and write nothing
refuses() {
    local what=$1 text=$2
    shift 2
    check "newuidmap: $what" uid_map 1 "" "${text//@/u}" as $alice "$newuidmap" "$target" "$@"
    check "newgidmap: $what" gid_map 1 "" "${text//@/g}" as $alice "$newgidmap" "$target" "$@"
}

maps "own id" "0 $alice 1" 0 $alice 1
maps "own id by another name" "1234 $alice 1" 1234 $alice 1
maps "one range" "0 100000 65536" 0 100000 65536
maps "part of a range" "5 100010 20" 5 100010 20
maps "own id and a range" "0 $alice 1; 1 100000 65536" 0 $alice 1 1 100000 65536
maps "many extents" "0 100000 10; 10 100020 10; 20 300000 10; 4000000000 100040 1" \
    0 100000 10 10 100020 10 20 300000 10 4000000000 100040 1
maps "ranges laid end to end" "0 150000 20000" 0 150000 20000
maps "ranges owned by number" "0 300000 10" 0 300000 10
maps "ids above 2^31" "2147483648 3000000000 1000" 2147483648 3000000000 1000
maps "the last id there is" "4294967285 4294967285 10" 4294967285 4294967285 10
maps "octal" "0 100000 65536" 0 100000 0200000
maps "hexadecimal" "0 100000 65536" 0 0x186a0 0x10000
maps "blank and plus sign" "0 100000 65536" " 0" "+100000" " +65536"

start_target $alice
refuses "nothing to map" "no @id range given"
refuses "an incomplete triplet" "usage: new@idmap" 0 100000
refuses "seven words" "ranges: 4 words" 0 100000 1 1
refuses "a word for a number" "\"x\" is not a number" 0 x 1
refuses "an empty word" "is not a number" 0 "" 1
refuses "junk behind a number" "is not a number" 0 100000 1k
refuses "a count of zero" "sub@id overflow detected" 0 100000 0
refuses "a negative id" "sub@id overflow detected" -1 100000 1
refuses "a negative count" "sub@id overflow detected" 0 100000 -5
refuses "an id of 2^32-1" "sub@id overflow detected" 0 4294967295 1
refuses "an id above 32 bits" "sub@id overflow detected" 0 4295067296 1
refuses "an id above 64 bits" "sub@id overflow detected" 18446744073709551616 100000 1
refuses "a sum that wraps" "sub@id overflow detected" 0 100000 4294967295
refuses "an inner sum that wraps" "sub@id overflow detected" 4294967290 100000 10
refuses "a bare 0x" "is not a number" 0 0x 1
refuses "a digit that octal lacks" "is not a number" 0 100000 08
refuses "another's range" "@id range [0-1) -> [400000-400001) not allowed" 0 400000 1
refuses "one id too many" "@id range [0-75537) -> [100000-175537) not allowed" 0 100000 75537
refuses "one id too early" "@id range [0-2) -> [99999-100001) not allowed" 0 99999 2
refuses "own id and the next" "not allowed: /etc/sub@id grants rltest-alice" 0 $alice 2
refuses "another's id" "@id range [0-1) -> [$bob-47003) not allowed" 0 $bob 1
refuses "root" "@id range [0-1) -> [0-1) not allowed" 0 0 1
refuses "a good and a bad range" "@id range [10-11) -> [0-1) not allowed" 0 100000 10 10 0 1
refuses "overlap inside" "@id range [9-19) -> [100100-100110) overlaps range [0-10) -> [100000-100010) inside" \
    0 100000 10 9 100100 10
refuses "overlap outside" "overlaps range [0-10) -> [100000-100010) outside" 0 100000 10 10 100009 10

many() { # N: N extents of one id, in numbers short enough for a page to hold 340
    local i
    words=()
    for ((i = 0; i < $1; i++)); do
        words+=("$((2 * i))" "$((2000 + 2 * i))" 1)
    done
}
many 341
refuses "341 extents" "341 @id ranges given, the kernel takes at most 340" "${words[@]}"
many 340
start_target $alice
check "newuidmap: 340 extents" uid_map 0 \
    "$(printf '%s %s %s; ' "${words[@]}" | sed 's/; $//')" "" as $alice "$newuidmap" "$target" "${words[@]}"

# 10-digit numbers on both sides: 24 bytes a line, so the page is full before the table is.
words=()
for ((i = 0; i < 200; i++)); do
    words+=("$((4000000000 + 2 * i))" "$((3000000000 + 2 * i))" 1)
done
page=$(getconf PAGESIZE)
if [ "$page" -eq 4096 ]; then
    start_target $alice
    refuses "more than a page" "the first too many is range 171, [4000000340-4000000341)" "${words[@]}"
    words=("${words[@]:0:510}")
    check "newuidmap: just less than a page" uid_map 0 \
        "$(printf '%s %s %s; ' "${words[@]}" | sed 's/; $//')" "" \
        as $alice "$newuidmap" "$target" "${words[@]}"
else
    skip "more than a page" "pages of $page bytes"
fi

start_target $alice
run as $alice "$newuidmap" "$target" 0 100000 10
check "newuidmap: a second time" uid_map 1 "0 100000 10" \
    "write to uid_map failed: Operation not permitted: the map is already set" \
    as $alice "$newuidmap" "$target" 0 100000 10

# /etc/subgid is keyed by user: the group's name means nothing.
printf 'rltest-shared:500000:10\n' >/etc/subgid
start_target $alice
check "newgidmap: a group as owner grants nothing" gid_map 1 "" "grants rltest-alice (uid $alice) nothing" \
    as $alice "$newgidmap" "$target" 0 500000 1

rm /etc/subuid
start_target $alice
check "no /etc/subuid: own id" uid_map 0 "0 $alice 1" "" as $alice "$newuidmap" "$target" 0 $alice 1
start_target $alice
check "no /etc/subuid: nothing else" uid_map 1 "" "not allowed" \
    as $alice "$newuidmap" "$target" 0 100000 1
done_testing
