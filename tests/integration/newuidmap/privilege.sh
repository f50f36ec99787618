#!/bin/bash
# What the programs hold and when; what they say when they hold nothing; how unknown users are found.
# Further arguments: the built rootless-nss, the folder in which it is looked for, and a plug-in for
# subordinate ids.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"
nss=$3 libexec=$4 plugin=$5

echo "rltest-alice:100000:65536" >/etc/subuid
echo "rltest-alice:100000:65536" >/etc/subgid

start_target $alice
check "no_new_privs" uid_map 1 "" "Could not set caps: the calling process has no_new_privs set" \
    as $alice setpriv --no-new-privs "$newuidmap" "$target" 0 100000 1
setcap -r "$newgidmap"
check "no capability on the file" gid_map 1 "" "setcap cap_setgid+ep" \
    as $alice "$newgidmap" "$target" 0 100000 1
check "no capability, and not allowed anyway" gid_map 1 "" "not allowed" \
    as $alice "$newgidmap" "$target" 0 5 1
mkdir "$work/nosuid"
mount --bind "$bin" "$work/nosuid"
mount -o remount,bind,nosuid "$work/nosuid"
check "a file system mounted nosuid" uid_map 1 "" "mounted nosuid" \
    as $alice "$work/nosuid/newuidmap" "$target" 0 100000 1
umount "$work/nosuid"

chmod 4755 "$newgidmap"
check "set-user-ID root" gid_map 0 "0 100000 10" "" as $alice "$newgidmap" "$target" 0 100000 10
start_target $bob
check "set-user-ID root: another user's process" gid_map 1 "" "owned by a different user" \
    as $alice "$newgidmap" "$target" 0 100000 10
chmod 755 "$newgidmap"
setcap cap_setgid+ep "$newgidmap"

echo "rltest-alice:0:1" >>/etc/subuid
start_target $alice
check "uid 0 of the host needs CAP_SETFCAP" uid_map 1 "" "without CAP_SETFCAP" \
    as $alice "$newuidmap" "$target" 0 0 1
setcap cap_setuid,cap_setfcap+ep "$newuidmap"
check "uid 0 of the host with CAP_SETFCAP" uid_map 0 "0 0 1" "" as $alice "$newuidmap" "$target" 0 0 1
setcap cap_setuid+ep "$newuidmap"

# Open fds, limits, a closed stderr, a foreign environment: nothing of it matters.
start_target $alice
check "closed stdin, stdout and stderr" uid_map 0 "0 100000 1" "" \
    as $alice sh -c "exec <&- >&- 2>&-; exec $newuidmap $target 0 100000 1"
start_target $alice
check "no files may be opened" uid_map 1 "" "Too many open files" \
    as $alice sh -c "ulimit -n 3; exec $newuidmap $target 0 100000 1"
check "an environment that glibc listens to" uid_map 0 "0 100000 1" "" \
    as $alice env LD_PRELOAD=/nonexistent.so LD_DEBUG=all GLIBC_TUNABLES=x=y MALLOC_CHECK_=3 \
    POSIXLY_CORRECT=1 LANG=xx "$newuidmap" "$target" 0 100000 1

trace() { # PROGRAM ARGS...: into $work/trace, by a tracer that root is
    strace -f -u rltest-alice -o "$work/trace" "$@" >/dev/null 2>&1 || true
}
if command -v strace >/dev/null; then
    start_target $alice
    trace "$newgidmap" "$target" 0 $alice 1
    after=$(awk -F '[ (]+' 'seen && /\(/ { print $2 } /PR_SET_SECCOMP/ { seen = 1 }' "$work/trace" |
        sort -u | tr '\n' ' ')
    [ "$after" = "capset close exit_group pread64 write " ] && bad=0 || bad=1
    report "$bad" "nothing but the list after the filter is installed" "calls: $after"
    [ "$(cat "/proc/$target/setgroups")" = deny ] && [ "$(map_of gid_map)" = "0 $alice 1" ] && bad=0 || bad=1
    report "$bad" "the filter lets the work be done" "$(cat "$work/trace")"
    # The capability is effective from the second capset on; before it, only reading happens.
    bad=0
    sed '/capset(.*effective=1<</,$d' "$work/trace" | grep -E 'O_WRONLY|O_RDWR' | grep -qv /dev/null && bad=1
    raised=$(grep -c 'capset(.*effective=1<<' "$work/trace" || true)
    [ "$raised" -eq 1 ] || bad=1
    report "$bad" "nothing is opened for writing before the capability is raised, which happens once" \
        "$(cat "$work/trace")"
    start_target $alice
    trace "$newuidmap" "$target" 0 400000 1
    bad=0
    grep -q 'capset(.*effective=1<<' "$work/trace" && bad=1
    report "$bad" "a refused request never raises the capability" "$(cat "$work/trace")"
else
    skip "system calls" "no strace"
fi

# A uid that /etc/passwd lacks: its number still owns lines.
nobody=47020
echo "$nobody:700000:100" >>/etc/subuid
start_target $nobody
check "no passwd entry: lines owned by the number" uid_map 0 "0 $nobody 1; 1 700000 100" "" \
    as $nobody "$newuidmap" "$target" 0 $nobody 1 1 700000 100
start_target $nobody
check "no passwd entry: nothing else" uid_map 1 "" "grants the nameless user (uid $nobody) 700000+100" \
    as $nobody "$newuidmap" "$target" 0 100000 1

# One that only the name services know: systemd's drop-in user records stand for a directory.
lay_over() { # DIR: an empty folder at that place, for this mount namespace only
    local at=$1
    while [ ! -d "$at" ]; do
        at=$(dirname "$at")
    done
    case $at in
    / | /usr) return 1 ;;
    esac
    mount -t tmpfs -o mode=755 tmpfs "$at" && mkdir -p "$1"
}
ldapy=47021
mkdir -p /etc/userdb
cat >"/etc/userdb/rltest-ldapy.user" <<END
{"userName":"rltest-ldapy","uid":$ldapy,"gid":$ldapy,"realName":"x","homeDirectory":"/nonexistent","shell":"/bin/sh","disposition":"regular"}
END
ln -s rltest-ldapy.user /etc/userdb/$ldapy.user
echo "rltest-ldapy:800000:100" >>/etc/subuid
if ! lay_over "$libexec"; then
    skip "what the helper answers" "cannot put rootless-nss into $libexec"
    done_testing
fi
if ! getent passwd $ldapy | grep -q "^rltest-ldapy:.*:$ldapy:$ldapy:"; then
    skip "users of a name service" "no nss-systemd that reads /etc/userdb"
else
    start_target $ldapy
    check "a user of a name service, no helper installed" uid_map 1 "" "grants the nameless user" \
        as $ldapy "$newuidmap" "$target" 0 800000 1
    install -m 755 "$nss" "$libexec/rootless-nss"
    check "a helper that its caller could trace is not run" uid_map 1 "" "with mode 0711" \
        as $ldapy "$newuidmap" "$target" 0 800000 1
    chmod 711 "$libexec/rootless-nss"
    chown $ldapy "$libexec/rootless-nss"
    check "a helper that is not root's is not run" uid_map 1 "" "must be a file of root's" \
        as $ldapy "$newuidmap" "$target" 0 800000 1
    chown 0 "$libexec/rootless-nss"
    chmod 711 "$libexec/rootless-nss"
    check "a user of a name service" uid_map 0 "0 800000 100" "" \
        as $ldapy "$newuidmap" "$target" 0 800000 100
    start_target $nobody
    check "a user that no name service knows" uid_map 0 "0 700000 1" "" \
        as $nobody "$newuidmap" "$target" 0 700000 1
    if command -v strace >/dev/null; then
        start_target $ldapy
        strace -f -o "$work/trace" setpriv --reuid $ldapy --regid $ldapy --clear-groups \
            "$newuidmap" "$target" 0 800000 1 >/dev/null 2>&1 || true
        bad=0
        line=$(grep 'execveat(' "$work/trace" | head -1)
        [[ $line == *'/* 0 vars */'* ]] || bad=1
        pid=${line%% *}
        grep "^$pid " "$work/trace" | sed '/execveat/,$d' | grep -q 'capset(.*effective=0, permitted=0, inheritable=0' || bad=1
        report "$bad" "the helper is run without a capability and without environment" "$line"
    fi
fi

# Ranges from a plug-in that nsswitch.conf names. It is found as any library is: by ldconfig's cache.
install -m 711 "$nss" "$libexec/rootless-nss"
mkdir -p "$work/lib" /etc/ld.so.conf.d
cp "$plugin" "$work/lib/"
echo "$work/lib" >/etc/ld.so.conf.d/rltest.conf
[ ! -d /var/cache/ldconfig ] || mount -t tmpfs tmpfs /var/cache/ldconfig # its own cache stays
ldconfig
sed -i '/^subid:/d' /etc/nsswitch.conf
echo "subid: rltest files" >>/etc/nsswitch.conf
start_target $alice
check "a plug-in's ranges, uids" uid_map 0 "0 $alice 1; 1 500000 1000; 1001 600000 10" "" \
    as $alice "$newuidmap" "$target" 0 $alice 1 1 500000 1000 1001 600000 10
check "a plug-in's ranges, gids" gid_map 0 "0 $alice 1; 1 500000 1000" "" \
    as $alice "$newgidmap" "$target" 0 $alice 1 1 500000 1000
is "granted gids leave setgroups as it is" "$(cat "/proc/$target/setgroups")" allow
start_target $alice
check "with a plug-in the files count for nothing" uid_map 1 "" 'subid: rltest" (/etc/nsswitch.conf) does not grant' \
    as $alice "$newuidmap" "$target" 0 100000 1
check "one id too many" uid_map 1 "" 'does not grant' as $alice "$newuidmap" "$target" 0 500000 1001
check "a helper without open files answers nothing" uid_map 1 "" 'Too many open files' \
    as $alice sh -c "ulimit -n 3; exec $newuidmap $target 0 100000 1"
check "one's own gid without a grant loses setgroups" gid_map 0 "0 $alice 1" "" \
    as $alice "$newgidmap" "$target" 0 $alice 1
is "as the kernel wants it" "$(cat "/proc/$target/setgroups")" deny
start_target $bob
check "a plug-in without connection" uid_map 1 "" 'has no connection to its server' \
    as $bob "$newuidmap" "$target" 0 500000 1
start_target $alice
as $alice sh -c "ulimit -v 3000; exec $newuidmap $target 0 100000 1" >/dev/null 2>&1 || true
is "a caller's limits do not bring the files back" "$(map_of uid_map)" ""
sed -i 's/^subid:.*/subid: rltest-missing/' /etc/nsswitch.conf
check "a plug-in that is not there" uid_map 1 "" 'cannot load the plug-in that "subid: rltest-missing"' \
    as $alice "$newuidmap" "$target" 0 100000 1
sed -i 's/^subid:.*/subid: ..\/rltest/' /etc/nsswitch.conf
check "a source that is a path" uid_map 1 "" 'names no source' \
    as $alice "$newuidmap" "$target" 0 100000 1
sed -i 's/^subid:.*/subid: files rltest/' /etc/nsswitch.conf
start_target $alice
check "the files, named" uid_map 0 "0 100000 1" "" as $alice "$newuidmap" "$target" 0 100000 1

# What is refused is in the system log. /dev is everybody's, so a private one is laid over it.
mkdir "$work/logdev"
for node in null zero urandom; do
    touch "$work/logdev/$node"
    mount --bind "/dev/$node" "$work/logdev/$node"
done
mount --rbind "$work/logdev" /dev
python3 -c '
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/dev/log")
os.chmod("/dev/log", 0o666)
s.settimeout(20)
print(s.recv(4096).decode())
' >"$work/log" &
logger=$!
wait_for 10 test -S /dev/log
start_target $alice
check "a refusal with a log" uid_map 1 "" "not allowed" as $alice "$newuidmap" "$target" 0 100000 1 9 9 1
check "what is granted is not logged" uid_map 0 "0 100000 1" "" as $alice "$newuidmap" "$target" 0 100000 1
wait $logger || true
like "names who, what and why" "$(cat "$work/log")" \
    "^<84>newuidmap\[[0-9]+\]: refused uid $alice: uid range \[9-10\) -> \[9-10\) not allowed"
done_testing
