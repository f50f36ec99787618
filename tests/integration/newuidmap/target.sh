#!/bin/bash
# Whose processes newuidmap and newgidmap act on, and how the target is named; setgroups.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

echo "rltest-alice:100000:65536" >/etc/subuid
echo "rltest-alice:100000:65536" >/etc/subgid
own="Target process is owned by a different user"

refused() { # DESCRIPTION TEXT COMMAND...: on $target, by both programs; PROGRAM and PID are filled in
    local what=$1 text=$2 word program
    local -a words
    shift 2
    for program in newuidmap newgidmap; do
        words=()
        for word in "$@"; do
            word=${word/PROGRAM/$bin/$program}
            words+=("${word/PID/$target}")
        done
        check "$program: $what" "${program:3:1}id_map" 1 "" "$text" "${words[@]}"
    done
}

start_target $bob
refused "another user's process" "$own: caller has uid:$alice" \
    setpriv --reuid $alice --regid $alice --clear-groups PROGRAM PID 0 $alice 1
refused "root on a user's process" "$own: caller has uid:0 gid:0" PROGRAM PID 0 0 1
start_target $alice
refused "the caller's gid is not the target's" "$own" \
    setpriv --reuid $alice --regid 47010 --clear-groups PROGRAM PID 0 $alice 1
refused "real and effective uid differ" "real and effective ids differ" \
    setpriv --euid $bob PROGRAM PID 0 $alice 1
refused "a target that is no number" "usage: new" as $alice PROGRAM self 0 $alice 1
refused "process 0" "is not a process id" as $alice PROGRAM 0 0 $alice 1
refused "a pid above 2^31" "is not a process id" as $alice PROGRAM 4294967297 0 $alice 1
refused "no arguments" "usage: new" as $alice PROGRAM
refused "fd:" "is not fd: and the number" as $alice PROGRAM fd: 0 $alice 1
refused "an fd that is not open" "Could not stat directory for target process" \
    as $alice PROGRAM fd:9 0 $alice 1
refused "an fd of a folder that is not in /proc" "not on the proc file system" \
    as $alice PROGRAM fd:9 0 $alice 1 9</
refused "an fd of a file" "not a directory" as $alice PROGRAM fd:9 0 $alice 1 9<"/proc/$target/status"
refused "an fd of /proc" "$own" as $alice PROGRAM fd:9 0 $alice 1 9</proc

dead=$target
end_target
run as $alice "$newuidmap" "$dead" 0 $alice 1
[ $rc -eq 1 ] && [[ $err == *"there is no process $dead"* ]] && bad=0 || bad=1
report "$bad" "a dead process" "status $rc, said: $err"

start_target $alice
check "fd:N" uid_map 0 "0 $alice 1; 1 100000 65536" "" \
    as $alice "$newuidmap" fd:9 0 $alice 1 1 100000 65536 9<"/proc/$target"
check "fd:N, with fd 0" gid_map 0 "0 $alice 1" "" as $alice "$newgidmap" fd:0 0 $alice 1 <"/proc/$target"
start_target $alice
exec 9<"/proc/$target"
end_target
run as $alice "$newuidmap" fd:9 0 $alice 1
exec 9<&-
[ $rc -eq 1 ] && bad=0 || bad=1
report "$bad" "fd:N of a process that has ended" "status $rc, said: $err"

# In a mount namespace of one's own, another file can be mounted over the map of one's process.
start_target $alice
other=$target
start_target $alice
# shellcheck disable=SC2016 # expanded by the inner shell
run unshare -m sh -c 'mount --bind "/proc/$1/uid_map" "/proc/$2/uid_map" && exec 9<"/proc/$2" &&
    shift 2 && exec "$@"' sh "$other" "$target" \
    setpriv --reuid $alice --regid $alice --clear-groups "$newuidmap" fd:9 0 $alice 1
[ $rc -eq 1 ] && [ -z "$(cat "/proc/$other/uid_map")" ] && bad=0 || bad=1
report "$bad" "a map that something else is mounted on is not written" "status $rc, said: $err"

sleep 600 >/dev/null 2>&1 &
target=$!
check "root on its own process, which has a map" uid_map 1 "$(map_of uid_map)" "the map is already set" \
    "$newuidmap" "$target" 0 0 1
start unshare --user sleep 600
echo "root:100000:65536" >>/etc/subuid
check "root on its own process" uid_map 0 "0 0 1; 1 100000 10" "" "$newuidmap" "$target" 0 0 1 1 100000 10

# The kernel keeps uid_map of a process that its user may not read from that user.
cp /bin/sleep "$bin/sleep"
chmod 711 "$bin/sleep"
start setpriv --reuid $alice --regid $alice --clear-groups unshare --user "$bin/sleep" 600
check "a process that is not dumpable" uid_map 1 "" "the process is not dumpable" \
    as $alice "$newuidmap" "$target" 0 $alice 1

setgroups() { # DESCRIPTION STATE ARGS...: on a fresh target of alice's
    local what=$1 want=$2 got
    shift 2
    start_target $alice
    run as $alice "$newgidmap" "$target" "$@"
    got=$(cat "/proc/$target/setgroups")
    [ $rc -eq 0 ] && [ "$got" = "$want" ] && bad=0 || bad=1
    report "$bad" "setgroups: $what" "status $rc, setgroups is $got (want $want), said: $err"
}
setgroups "own gid only" deny 0 $alice 1
setgroups "own gid and granted gids" allow 0 $alice 1 1 100000 10
setgroups "granted gids" allow 0 100000 10
echo "rltest-alice:$alice:1" >>/etc/subgid
setgroups "own gid that is granted too" allow 0 $alice 1
sed -i '$d' /etc/subgid
start_target $alice
run as $alice "$newgidmap" "$target" 0 12345 1
[ $rc -eq 1 ] && [ "$(cat "/proc/$target/setgroups")" = allow ] && bad=0 || bad=1
report "$bad" "setgroups: untouched when refused" "status $rc, said: $err"
start_target $alice
echo deny >"/proc/$target/setgroups"
check "setgroups: denied before" gid_map 0 "0 $alice 1" "" as $alice "$newgidmap" "$target" 0 $alice 1
start_target $alice
run as $alice "$newgidmap" "$target" 0 100000 10
check "setgroups: cannot be denied once there is a map" gid_map 1 "0 100000 10" "failed to setgroups deny" \
    as $alice "$newgidmap" "$target" 0 $alice 1

# newgrp: the group is another than the passwd entry's.
start_shared() {
    start setpriv --reuid $alice --regid 47010 --clear-groups unshare --user sleep 600
}
start_shared
refused "another group than the primary one" "gid:47010 is not the primary group of rltest-alice" \
    setpriv --reuid $alice --regid 47010 --clear-groups PROGRAM PID 0 100000 1
echo "GRANT_AUX_GROUP_SUBIDS no" >>/etc/login.defs
refused "GRANT_AUX_GROUP_SUBIDS no" "is not the primary group" \
    setpriv --reuid $alice --regid 47010 --clear-groups PROGRAM PID 0 100000 1
echo 'GRANT_AUX_GROUP_SUBIDS	"yes"' >>/etc/login.defs
check "GRANT_AUX_GROUP_SUBIDS yes" uid_map 0 "0 100000 1" "" \
    setpriv --reuid $alice --regid 47010 --clear-groups "$newuidmap" "$target" 0 100000 1
check "GRANT_AUX_GROUP_SUBIDS yes: the current gid is one's own" gid_map 0 "0 47010 1" "" \
    setpriv --reuid $alice --regid 47010 --clear-groups "$newgidmap" "$target" 0 47010 1
done_testing
