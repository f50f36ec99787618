#!/bin/bash
# Every system call of newuidmap and newgidmap: what they are, what was held during each, what is
# opened, that a large file makes no difference; and the target killed at each of them.
# Further arguments: the built tracer.
# shellcheck disable=SC2016 # the fields are those of awk
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"
tracer=$3 log=$work/log

echo "rltest-alice:100000:65536" >/etc/subuid
echo "rltest-alice:100000:65536" >/etc/subgid
: >/etc/login.defs

trace() { # PROGRAM ARGUMENTS...: as alice on a fresh target; $log, rc, err
    local program=$1
    shift
    start_target $alice
    run "$tracer" "$log" $alice $alice "$program" "$target" "$@"
}

is_clean() { # NAME AWK: no line of the log may be printed by it
    local broken
    broken=$(awk "$2" "$log")
    if [ -z "$broken" ]; then pass "$1"; else fail "$1" "$broken"; fi
}

# Fields of a line: name, permitted, effective, uids, three arguments, result, path.
setuid=0000000000000080 setgid=0000000000000040 none=0000000000000000
seccomp=22
checks() { # NAME KEPT CAPABILITY FILES...: the log of a granted request; KEPT is permitted at first
    local name=$1 kept=$2 cap=$3
    shift 3
    is "$name: granted" "$rc: $err" "0: "
    is_clean "$name: no socket, no process, no program" \
        '$1 ~ /^(socket|connect|sendto|clone|execve|execveat|syscall-.*)$/'
    is "$name: opened for writing" \
        "$(awk '$1 ~ /^open/ && $7 % 4 > 0 && $8 >= 0 { print $9 }' "$log" | tr '\n' ' ')" "/dev/null $* "
    is "$name: after the filter is installed" \
        "$(awk "seen { print \$1 } \$1 == \"prctl\" && \$5 == $seccomp { seen = 1 }" "$log" | uniq | tr '\n' ' ')" \
        "$(if [ $# -gt 1 ]; then echo pread64 write; else echo write; fi | tr '\n' ' ')capset close exit_group "
    # After the first capset: what may be needed, what is needed and in effect, nothing.
    is "$name: capabilities, permitted and effective, from step to step" \
        "$(awk 'seen { print $2, $3 } $1 == "capset" { seen = 1 }' "$log" | uniq | tr '\n' ';')" \
        "$kept $none;$cap $cap;$none $none;"
    is_clean "$name: whose uids it runs with while anything is effective but at the start" \
        "seen && \$4 != \"$alice,$alice,$alice,$alice\"; \$1 == \"capset\" { seen = 1 }"
    is "$name: made while the capability is effective" \
        "$(awk "\$3 != \"$none\" && seen { print \$1 } \$1 == \"capset\" { seen = 1 }" "$log" | sort -u | tr '\n' ' ')" \
        "$(if [ $# -gt 1 ]; then echo capset openat2 prctl pread64 write; else echo capset openat2 prctl write; fi) "
}

trace "$newuidmap" 0 $alice 1 1 100000 65536
checks "newuidmap" $setuid $setuid uid_map
trace "$newgidmap" 0 $alice 1 1 100000 65536
checks "newgidmap" $setgid $setgid gid_map
trace "$newgidmap" 0 $alice 1
checks "newgidmap, own gid only" $setgid $setgid setgroups gid_map

# CAP_SETFCAP is kept until it is known whether uid 0 is asked for; a file has it only on purpose.
setcap -r "$newuidmap"
setcap -r "$newgidmap"
chmod 4755 "$newuidmap" "$newgidmap"
trace "$newuidmap" 0 $alice 1 1 100000 65536
checks "newuidmap, set-user-ID root" 0000000080000080 $setuid uid_map
trace "$newgidmap" 0 $alice 1
checks "newgidmap, set-user-ID root" $setgid $setgid setgroups gid_map
chmod 755 "$newuidmap" "$newgidmap"
setcap cap_setuid+ep "$newuidmap"
setcap cap_setgid+ep "$newgidmap"

trace "$newuidmap" 0 400000 1
is "refused: status" "$rc" 1
is_clean "refused: nothing is opened for writing" '$1 ~ /^open/ && $7 % 4 > 0 && $9 != "/dev/null"'
is_clean "refused: no capability is ever raised" "seen && \$3 != \"$none\"; \$1 == \"capset\" { seen = 1 }"

# The same calls, whatever the size: one line, and a hundred thousand, but for more reads of one file.
calls() {
    awk '{ print $1 }' "$log" | uniq
}
trace "$newuidmap" 0 100000 1
short=$(calls)
awk 'BEGIN { for (i = 0; i < 100000; i++) printf "rltest-user%d:%d:10\n", i, 1000000 + 10 * i }' >>/etc/subuid
awk 'BEGIN { for (i = 0; i < 100000; i++) printf "rltest-user%d:x:%d:1:::\n", i, 1000000 + i }' >>/etc/passwd
trace "$newuidmap" 0 100000 1
is "200 000 lines more to read: granted" "$rc" 0
is "200 000 lines more to read: the same system calls" "$(calls)" "$short"
is_clean "no heap: nothing moves the break but the start of the C library" \
    'seen && $1 == "brk"; $1 == "umask" { seen = 1 }'

# The target is gone before the Nth call, for every N.
start_target $bob
bystander=$target
start_target $alice
all=$("$tracer" --kill "$bystander" 999999 $alice $alice "$newgidmap" "$target" 0 $alice 1)
bad=
done_at=0
for ((n = 1; n <= all; n++)); do
    start_target $alice
    run "$tracer" --kill "$target" "$n" $alice $alice "$newgidmap" "$target" 0 $alice 1
    [ "$rc" -le 1 ] || bad+="call $n: status $rc, said: $err"$'\n'
    [ "$rc" -eq 1 ] || [ "$done_at" -gt 0 ] || done_at=$n
    [ -z "$(map_of gid_map 2>/dev/null)" ] || [ "$rc" -eq 0 ] || bad+="call $n: mapped, status $rc"$'\n'
done
if [ -z "$bad" ]; then pass "the target killed at each of $all calls"; else fail "the target killed at each of $all calls" "$bad"; fi
[ "$done_at" -gt 1 ] && bad=0 || bad=1
report "$bad" "the target killed: too late to matter only from some call on" "first granted at call $done_at of $all"
target=$bystander
is "the target killed: no other process is mapped" "$(map_of gid_map)$(map_of uid_map)" ""
done_testing
