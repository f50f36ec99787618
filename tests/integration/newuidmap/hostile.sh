#!/bin/bash
# What a hostile caller can choose beside arguments and target: limits, signals, folders, an empty
# argv, a pid that is used again, a user namespace of its own to run the programs in.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

echo "rltest-alice:100000:65536" >/etc/subuid
echo "rltest-alice:100000:65536" >/etc/subgid

granted() { # DESCRIPTION COMMAND...: PROGRAM and PID filled in, then a request; both programs grant it
    local what=$1 program word
    local -a words
    shift
    for program in newuidmap newgidmap; do
        start_target $alice
        words=()
        for word in "$@"; do
            word=${word//PROGRAM/$bin/$program}
            words+=("${word//PID/$target}")
        done
        check "$program: $what" "${program:3:1}id_map" 0 "0 $alice 1; 1 100000 65536" "" \
            as $alice "${words[@]}"
        end_target
    done
}
request="0 $alice 1 1 100000 65536"

granted "no file may grow" sh -c "ulimit -f 0; exec PROGRAM PID $request"
granted "SIGXFSZ and SIGPIPE ignored, no file may grow" \
    env --ignore-signal=XFSZ,PIPE,CHLD sh -c "ulimit -f 0; exec PROGRAM PID $request"
granted "every signal blocked" env --block-signal sh -c "exec PROGRAM PID $request"
granted "no core, no locked memory, no processes" \
    sh -c "ulimit -c 0; ulimit -l 0; ulimit -u 0 2>/dev/null; exec PROGRAM PID $request"
granted "a small stack" sh -c "ulimit -s 256; exec PROGRAM PID $request"
granted "another name in argv" bash -c "exec -a '../../x y' PROGRAM PID $request"
mkdir -m 777 "$work/gone"
granted "a working folder that is deleted" \
    sh -c "cd '$work/gone' && mkdir mine && cd mine && rmdir ../mine && exec PROGRAM PID $request"
granted "standard input, output and error at their ends" \
    sh -c "exec PROGRAM PID $request </dev/null >/dev/full 2>/dev/full"

# Every limit of open files: done, or refused without a trace.
bad=
for ((n = 0; n <= 9; n++)); do
    start_target $alice
    run as $alice sh -c "ulimit -n $n; exec $newgidmap $target 0 $alice 1"
    case $rc:$(map_of gid_map) in
    "0:0 $alice 1" | 1: | 12[67]: | 139:) ;; # 127, 139: the program did not get to its start
    *) bad+="$n files: status $rc, map $(map_of gid_map), said: $err"$'\n' ;;
    esac
    end_target
done
[ "$rc" -eq 0 ] || bad+="9 files are not enough"
if [ -z "$bad" ]; then pass "any limit of open files"; else fail "any limit of open files" "$bad"; fi

start_target $alice
bad=0
for kib in 0 64 256 1024 4096; do
    run as $alice sh -c "ulimit -v $kib; exec $newuidmap $target 0 100000 1"
    [ "$rc" -ne 0 ] || [ "$(map_of uid_map)" = "0 100000 1" ] || bad=1
done
report "$bad" "any limit of memory" "status $rc, map $(map_of uid_map)"
end_target

start_target $alice
# shellcheck disable=SC2046 # words on purpose
check "100 000 words" uid_map 1 "" "the kernel takes at most 340" as $alice "$newuidmap" "$target" $(seq 99999)
check "a word of 100 000 characters" uid_map 1 "" 'loweruid: "999' \
    as $alice "$newuidmap" "$target" 0 "$(head -c 100000 /dev/zero | tr '\0' 9)" 1
empty_argv='
import ctypes, sys
none = (ctypes.c_char_p * 1)(None)
ctypes.CDLL(None).execve(sys.argv[1].encode(), none, none)'
if [ -x /usr/bin/python3 ]; then
    check "no argv at all" uid_map 1 "" "no process given" as $alice /usr/bin/python3 -c "$empty_argv" "$newuidmap"
else
    skip "no argv at all" "no /usr/bin/python3"
fi
run capsh --drop=cap_setuid --gid=$alice --uid=$alice --shell=/bin/sh -- \
    -c "exec $newuidmap $target 0 100000 1"
[ "$rc" -ne 0 ] && [ -z "$(map_of uid_map)" ] && bad=0 || bad=1
report "$bad" "a bounding set without the capability: the program does not even start" "status $rc: $err"
as $alice kill -STOP "$target"
check "a target that is stopped" uid_map 0 "0 100000 1" "" as $alice "$newuidmap" "$target" 0 100000 1
end_target

# A pid that is used again between learning it and using it: fd:N is the first process for good.
if [ -w /proc/sys/kernel/ns_last_pid ]; then
    start_target $alice
    first=$target
    exec 9<"/proc/$first"
    end_target
    reused=
    for ((i = 0; i < 50 && ${reused:-0} != first; i++)); do
        echo $((first - 1)) >/proc/sys/kernel/ns_last_pid
        start_target $alice
        reused=$target
    done
    if [ "$reused" = "$first" ]; then
        check "a pid used again: fd:N does not take the new process for the old" uid_map 1 "" \
            "owned by a different user" as $alice "$newuidmap" fd:9 0 100000 1
        check "a pid used again: the number is the new process" uid_map 0 "0 100000 1" "" \
            as $alice "$newuidmap" "$first" 0 100000 1
    else
        skip "a pid used again" "pid $first was not given out again"
    fi
    exec 9<&-
else
    skip "a pid used again" "no /proc/sys/kernel/ns_last_pid"
fi

# In a container: a user of its own, with an /etc of its own, for ids that the container has.
inner_etc=$work/inner-etc
mkdir "$inner_etc"
echo "inner:x:1000:1000::/:/bin/sh" >"$inner_etc/passwd"
printf 'inner:2000:1000\ninner:200000:10\n' >"$inner_etc/subuid"
cp "$inner_etc/subuid" "$inner_etc/subgid"
start_target $alice
as $alice "$newuidmap" "$target" 0 100000 65536
as $alice "$newgidmap" "$target" 0 100000 65536
cat >"$work/inside" <<'END'
set -eu
mount --bind "$1" /etc
user="setpriv --reuid 1000 --regid 1000 --clear-groups"
mapped() { # ARGUMENTS...: of newuidmap and newgidmap
    $user unshare --user sleep 600 >/dev/null 2>&1 &
    pid=$!
    while [ "$(cat "/proc/$pid/comm")" != sleep ]; do sleep 0.02; done
    status=0
    $user "$newuidmap" "$pid" "$@" || status=$?
    $user "$newgidmap" "$pid" "$@" || status=$((status + $?))
    echo "$status" $(cat "/proc/$pid/uid_map" "/proc/$pid/gid_map")
    kill "$pid"
}
mapped 0 1000 1 1 2000 1000
mapped 0 200000 10
mapped 0 101000 1
END
run env newuidmap="$newuidmap" newgidmap="$newgidmap" \
    nsenter --user --target "$target" --setuid 0 --setgid 0 unshare --mount bash "$work/inside" "$inner_etc"
is "in a container, by its own /etc: what it grants, ids it has not, ids of the host" "$out" \
    "0 0 1000 1 1 2000 1000 0 1000 1 1 2000 1000
2
2"
like "in a container: what is said" "$err" "write to uid_map failed.*range \[0-1\) -> \[101000-101001\) not allowed"
done_testing
