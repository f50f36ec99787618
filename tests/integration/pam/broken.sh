#!/bin/bash
# A machine in a bad state: the login goes on, in bounded time, and the log says what was not done.
# shellcheck disable=SC2016,SC2028,SC2129 # text for files and for the sessions' shells, as it stands
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

# NAME TEXT [OPTION...]: a session of a user without ranges; he keeps having none
goes_on() {
    local name=$1 text=$2
    shift 2
    service wait=1 "$@"
    forget_log
    run timeout 40 "$host_program" rltest "$user" open env close
    is "$name: the login goes on" "$rc $out" "0 XDG_RUNTIME_DIR=/run/user/$uid"
    like "$name: logged" "$(logged)" "$text"
    is "$name: no range is given" "$(grep -c "^$user:" /etc/subuid || true)" 0
    clean "$name: nothing is left"
}

make_user alice none

# ---- the files ----

python3 -c 'import fcntl, time
lock = open("/etc/.pwd.lock", "w"); fcntl.lockf(lock, fcntl.LOCK_EX); print("held", flush=True)
time.sleep(600)' >"$work/locker" &
locker=$!
wait_for 10 grep -q held "$work/locker"
goes_on "locked files" "$user gets no subordinate ids: /etc/.pwd.lock is locked by process $locker"
service wait=1 required_ready
forget_log
run timeout 40 "$host_program" rltest "$user" open env
is "with required_ready it is refused" "$rc ${out%%:*}" "0 open"
clean "with required_ready nothing is left"
like "with the reason" "$(logged)" "$user has no subordinate ids, and required_ready is set: session refused"
kill "$locker"
wait "$locker" 2>/dev/null || true

echo $$ >/etc/subuid.lock
goes_on "a lock file of a living process" "$user gets no subordinate ids: /etc/subuid is locked by process $$"
rm /etc/subuid.lock

mount -o remount,bind,ro /etc
forget_log
run timeout 40 "$host_program" rltest "$user" open env close
is "a read-only /etc: the login goes on" "$rc $out" "0 XDG_RUNTIME_DIR=/run/user/$uid"
like "a read-only /etc: logged" "$(logged)" "$user gets no subordinate ids: .*read-only"
mount -o remount,bind,rw /etc

cp /etc/login.defs "$work/login.defs"
echo 'SUB_UID_MIN nonsense' >>/etc/login.defs
goes_on "a wrong login.defs" "no subordinate ids are given: /etc/login.defs: SUB_UID_MIN is \"nonsense\""
cp "$work/login.defs" /etc/login.defs
printf 'SUB_UID_COUNT 0\nSUB_GID_COUNT 0\n' >>/etc/login.defs
goes_on "counts of 0 in login.defs" "SUB_UID_COUNT and SUB_GID_COUNT are 0" debug
cp "$work/login.defs" /etc/login.defs
echo 'subid: rltest' >>/etc/nsswitch.conf
goes_on "another source in nsswitch.conf" "subordinate ids come from \"rltest\"" debug
sed -i '/^subid:/d' /etc/nsswitch.conf

# A file system without room: /etc on it, filled to the brim.
mkdir "$work/small"
mount -t tmpfs -o size=2m rltest-small "$work/small"
cp -a /etc/passwd /etc/group /etc/shadow /etc/login.defs /etc/nsswitch.conf /etc/pam.d \
    /etc/subuid /etc/subgid "$work/small/"
mount --bind "$work/small" /etc
service wait=1
sums=$(sha256sum /etc/subuid /etc/subgid)
cat /dev/zero >/etc/fill 2>/dev/null || true
goes_on_full() {
    forget_log
    run timeout 40 "$host_program" rltest "$user" open env close
    is "a full disk: the login goes on" "$rc $out" "0 XDG_RUNTIME_DIR=/run/user/$uid"
    like "a full disk: logged" "$(logged)" "$user gets no subordinate ids: .*No space left"
    is "a full disk: the files are as before" "$(sha256sum /etc/subuid /etc/subgid)" "$sums"
}
goes_on_full
umount /etc

# ---- the state ----

service wait=1
start_host "$user" open
(exec 8>"/run/rootless-toolkit/pam/$uid.lock"; flock 8; echo locked >"$work/locked"; exec sleep 600) 7>&- &
flocker=$!
wait_for 10 test -s "$work/locked"
forget_log
run timeout 40 "$host_program" rltest "$user" open env close
is "a locked state: the login goes on" "$rc $out" "0 XDG_RUNTIME_DIR=/run/user/$uid"
like "a locked state: logged" "$(logged)" "the session of $user is not counted: .* still locked after 1 s"
kill "$flocker"
wait "$flocker" 2>/dev/null || true
let_go
clean "a locked state: cleared up by the session that was counted"

cat /dev/zero >/run/fill 2>/dev/null || true
forget_log
run timeout 40 "$host_program" rltest "$user" open env close
is "a full /run: the login goes on" "$rc" 0
like "a full /run: logged" "$(logged)" "the session of $user is not counted: cannot write .*No space left"
rm /run/fill
run host "$user" open close

mkdir "$work/proc"
run unshare --mount bash -c "mount --bind '$work/proc' /proc; exec timeout 40 '$host_program' rltest '$user' open env close"
is "no /proc" "$rc $out" "0 XDG_RUNTIME_DIR=/run/user/$uid"

# ---- names ----

name='rltest-Ünïcode.$odd-_1'
echo "$name:x:31001:100::/nonexistent:/bin/sh" >>/etc/passwd
echo '31002:x:31003:100::/nonexistent:/bin/sh' >>/etc/passwd
echo 'CORP\rltest:x:31004:100::/nonexistent:/bin/sh' >>/etc/passwd
service
run host "$name" open env close
is "an odd name" "$rc $out" "0 XDG_RUNTIME_DIR=/run/user/31001"
ok "has its range" grep -qF "$name:" /etc/subuid
run host 'CORP\rltest' open env close
is "a name with a backslash" "$rc $out" "0 XDG_RUNTIME_DIR=/run/user/31004"
ok "has its range, too" grep -qF 'CORP\rltest:' /etc/subuid
forget_log
run host 31002 open env close
is "a name of digits" "$rc $out" "0 XDG_RUNTIME_DIR=/run/user/31003"
is "is no owner in the files: it would stand for a uid" "$(grep -c '^3100[23]:' /etc/subuid || true)" 0
like "which is logged" "$(logged)" "31002 gets no subordinate ids"
forget_log
run host $'rltest\nx' open close
is "a name that cannot be" "$rc" 0
is "is one line in the log each time" "$(logged | grep -c 'pam_rootless(rltest:session): no such user$')" 2
done_testing
