#!/bin/bash
# What uidmapd does for whom: with it, a client that holds nothing does what newuidmap does.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

start_broker "$uidmapd"
is "the broker holds three capabilities, and can get no other" \
    "$(sed -n 's/^Cap\(Inh\|Prm\|Bnd\|Amb\):\t*//p' "/proc/$broker/status" | tr '\n' ' ')" \
    "0000000000000000 00000000800000c0 00000000800000c0 0000000000000000 "

start_target $alice
check "newuidmap: own id and a range" uid_map 0 "0 $alice 1; 1 100000 65536" "" \
    as $alice "$asking_uidmap" "$target" 0 $alice 1 1 100000 65536
check "newgidmap: own id and a range" gid_map 0 "0 $alice 1; 1 100000 65536" "" \
    as $alice "$asking_gidmap" "$target" 0 $alice 1 1 100000 65536
is "a granted gid: setgroups stays allowed" "$(cat "/proc/$target/setgroups")" allow
start_target $alice
check "newgidmap: own gid only" gid_map 0 "0 $alice 1" "" as $alice "$asking_gidmap" "$target" 0 $alice 1
is "own gid only: setgroups is denied" "$(cat "/proc/$target/setgroups")" deny
start_target $alice
check "with no_new_privs, a full set of other groups and few fds" uid_map 0 "0 100000 10" "" \
    setpriv --reuid $alice --regid $alice --groups 0,1,2,47010 --no-new-privs \
    sh -c "ulimit -n 8; exec $asking_uidmap $target 0 100000 10"
start_target $alice
check "fd:N" uid_map 0 "0 100000 10" "" as $alice "$asking_uidmap" fd:9 0 100000 10 9<"/proc/$target"
words=()
for ((i = 0; i < 300; i++)); do
    words+=("$((2 * i))" "$((100000 + 2 * i))" 1)
done
start_target $alice
check "300 extents" uid_map 0 "$(printf '%s %s %s; ' "${words[@]}" | sed 's/; $//')" "" \
    as $alice "$asking_uidmap" "$target" "${words[@]}"
start unshare --user sleep 600
echo "root:100000:65536" >>/etc/subuid
check "root on its own process" uid_map 0 "0 0 1; 1 100000 10" "" "$asking_uidmap" "$target" 0 0 1 1 100000 10

# same DESCRIPTION ARGS...: refused with the words that newuidmap has for it, nothing written
same() {
    local what=$1 direct
    shift
    run as $alice "$newuidmap" "$@"
    direct=$err
    check "as newuidmap: $what" uid_map 1 "" "$direct" as $alice "$asking_uidmap" "$@"
}
start_target $alice
same "no words at all"
same "no ranges" "$target"
same "not a number" "$target" 0 x 1
same "a sum that wraps" "$target" 0 100000 4294967295
same "overlap" "$target" 0 100000 10 9 200000 5
same "a range that is not granted" "$target" 0 200000 10
same "another's range" "$target" 0 300000 10
same "root" "$target" 0 0 1
same "no such process" 999999 0 100000 1
same "a directory that is not /proc" fd:9 0 100000 1 9</
same "a file of /proc" fd:9 0 100000 1 9<"/proc/$target/status"
same "/proc itself" fd:9 0 100000 1 9</proc
same "an fd that is not open" fd:9 0 100000 1
start_target $bob
same "the process of another" "$target" 0 100000 1
sleep 600 >/dev/null 2>&1 &
target=$!
run as $alice "$asking_uidmap" "$target" 0 100000 1
like "root's process" "$err" "owned by a different user"
start setpriv --reuid $alice --regid 47010 --clear-groups unshare --user sleep 600
check "a group that is not the primary one" uid_map 1 "" "is not the primary group of rltest-alice" \
    setpriv --reuid $alice --regid 47010 --clear-groups "$asking_uidmap" "$target" 0 100000 1
start_target $alice
run as $alice "$asking_uidmap" "$target" 0 100000 10
check "a second time" uid_map 1 "0 100000 10" "the map is already set" \
    as $alice "$asking_uidmap" "$target" 0 100000 10

# An fd stays with its process; the pid that is used again is somebody else.
start_target $alice
exec 9<"/proc/$target"
was=$target
end_target
run as $alice "$asking_uidmap" fd:9 0 100000 1
like "a process that has ended" "$rc $err" "^1 .*(the process is gone|different user)"
if echo $((was - 1)) >/proc/sys/kernel/ns_last_pid 2>/dev/null && start_target $alice && [ "$target" = "$was" ]; then
    check "a pid that is used again is not written" uid_map 1 "" "newuidmap: " \
        as $alice "$asking_uidmap" fd:9 0 100000 1
    like "a pid that is used again, as the broker sees it" "$(peer $alice many 1 100000 fd:9)" "^[1-9][0-9]* "
    is "a pid that is used again: still no map" "$(map_of uid_map)" ""
else
    skip "a pid that is used again is not written" "cannot choose the next pid"
fi
exec 9<&-

# Where else a peer can be.
start_target $alice
check "a peer in another user namespace" uid_map 1 "" "only processes of its own user namespace" \
    as $alice unshare --user --map-current-user "$asking_uidmap" "$target" 0 $alice 1
mkdir "$work/proc"
mount -t proc proc "$work/proc"
if [ "$(stat -c %d /proc)" = "$(stat -c %d "$work/proc")" ]; then
    skip "a directory of another proc mount" "all proc mounts of a pid namespace are one here"
else
    check "a directory of another proc mount" uid_map 1 "" "not on the proc file system of /proc" \
        as $alice "$asking_uidmap" fd:9 0 100000 1 9<"$work/proc/$target"
    # The client looks by itself; a peer that does not is told by the broker.
    like "a directory of another proc mount, sent to the broker" \
        "$(peer $alice many 1 100000 "$work/proc/$target")" "not on the proc file system of /proc"
fi
umount "$work/proc"
check "real and effective uid differ" uid_map 1 "" "real and effective ids differ" \
    setpriv --ruid $alice --euid $bob --regid $alice --clear-groups "$asking_uidmap" "$target" 0 100000 1
check "under another name" uid_map 1 "" "under their names" as $alice "$client" "$target" 0 100000 1

nobody=47020
echo "$nobody:700000:100" >>/etc/subuid
start_target $nobody
check "a uid without passwd entry" uid_map 0 "0 $nobody 1; 1 700000 100" "" \
    as $nobody "$asking_uidmap" "$target" 0 $nobody 1 1 700000 100
start_target 65534
check "the uid that stands for all unmapped ones" uid_map 1 "" "cannot tell who you are" \
    as 65534 "$asking_uidmap" "$target" 0 65534 1
stop_broker TERM

# newuidmap itself, without any capability, where it is installed.
setcap -r "$newuidmap"
setcap -r "$newgidmap"
start_broker "$uidmapd"
if ! grep -q rootless-uidmap-client "$newuidmap"; then
    skip "newuidmap without capability" "this newuidmap does not run the client"
elif ! lay_over "$libexec"; then
    skip "newuidmap without capability" "cannot put the client into $libexec"
else
    install -m 755 "$client" "$libexec/rootless-uidmap-client"
    start_target $alice
    check "newuidmap without capability" uid_map 0 "0 $alice 1; 1 100000 65536" "" \
        as $alice "$newuidmap" "$target" 0 $alice 1 1 100000 65536
    check "newgidmap without capability" gid_map 0 "0 $alice 1; 1 100000 65536" "" \
        as $alice "$newgidmap" "$target" 0 $alice 1 1 100000 65536
    start_target $alice
    check "newuidmap without capability: fd:N" uid_map 0 "0 100000 10" "" \
        as $alice "$newuidmap" fd:9 0 100000 10 9<"/proc/$target"
    start_target $bob
    check "newuidmap without capability: another's process" uid_map 1 "" "owned by a different user" \
        as $alice "$newuidmap" "$target" 0 100000 10
fi
stop_broker TERM
done_testing
