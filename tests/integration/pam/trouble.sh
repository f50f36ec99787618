#!/bin/bash
# A machine in trouble: no room, nothing writable, databases that somebody holds. The login goes on, says
# why in the log what it could not do, leaves nothing half-done, and the next one makes up for it.
# shellcheck disable=SC2016,SC2119 # for shells inside; no option is an option
set -eu
# shellcheck source-path=SCRIPTDIR source=logins.sh
. "$(dirname "$0")/logins.sh"

# On memory: they can be full.
mkdir "$work/small"
mount -t tmpfs -o mode=755,size=24m rltest-etc "$work/small"
cp -a /etc/. "$work/small/"
mount --bind "$work/small" /etc
fill() { # FOLDER: to the last byte
    head -c 100m /dev/zero >"$1/filler" 2>/dev/null || true
    while echo >>"$1/filler"; do :; done 2>/dev/null
}
hold() { # FILE: locked as lckpwdf(3) does, and with flock(2), until let_loose
    python3 -c 'import fcntl, sys
file = open(sys.argv[1], "r+")
fcntl.flock(file, fcntl.LOCK_EX)
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()' "$1" <"$work/holder" >"$work/holds" &
    holder=$!
    exec 7>"$work/holder"
    wait_for 10 grep -q held "$work/holds"
}
let_loose() {
    exec 7>&-
    wait "$holder"
}
mkfifo "$work/holder"
etc() { (cd /etc && find . ! -name filler ! -name .pwd.lock -type f -exec md5sum {} + | sort -k 2); }

use_module wait=1
start_sshd
look='echo $XDG_RUNTIME_DIR'
make_login rich
ok "somebody who has sub-ids" ssh_in true
make_login alice

# goes_on NAME ERE: alice's login goes on, with a directory but without sub-ids, and says ERE in the log
goes_on() {
    etc >"$work/before"
    forget_log
    use_login alice
    run ssh_in "$look"
    is "$1: she logs in" "$rc $out" "0 $runtime"
    is "without sub-ids" "$(ranges)" ""
    etc >"$work/after"
    is "/etc is as it was" "$(diff "$work/before" "$work/after")" ""
    like "the log says it" "$(logged)" "$2"
    is "in one line" "$(logged | grep -c 'sub\|session')" 1 || note "$(logged)"
    forget_log
    use_login rich
    is "$1: nobody minds who has his" "$(ssh_in "$look") $(logged)" "$runtime "
    use_login alice
}

fill /etc
goes_on "a full disk" "No space left"
rm /etc/filler
mount -o remount,bind,ro /etc
goes_on "a read-only /etc" "read-only"
mount -o remount,bind,rw /etc
touch /etc/.pwd.lock
hold /etc/.pwd.lock
goes_on "locked by another program" "/etc/.pwd.lock"
let_loose
echo -n $$ >/etc/subuid.lock
goes_on "locked by shadow's tools" "/etc/subuid is locked by process $$ "
rm /etc/subuid.lock

mv /etc/login.defs "$work/login.defs"
sed 's/^SUB_[UG]ID_M.*//' "$work/login.defs" >/etc/login.defs
printf 'SUB_%s_MIN 100000\nSUB_%s_MAX 170000\n' UID UID GID GID >>/etc/login.defs
goes_on "no range is left" "no "
cp -p "$work/login.defs" /etc/login.defs

# The state of her sessions.
fill /run
forget_log
run ssh_in "$look"
is "a full /run: she logs in, without a directory" "$rc $out" "0 "
like "it is said" "$(logged)" "No space left.*$runtime is not made"
rm /run/filler
given "she has her sub-ids now"
is "the next session finds what it needs" "$(ssh_in "$look")" "$runtime"
clean_soon "and leaves nothing, of the one before neither"
open_session alice ssh_in bash
hold "/run/rootless-toolkit/pam/$uid.lock"
forget_log
run ssh_in "$look"
is "a locked state: she logs in" "$rc" 0
like "it is said" "$(logged)" "not counted"
let_loose
is "another session goes on all the while" "$(in_session alice "$look")" "$runtime"
close_session alice
clean_soon "nothing is left"

# Somebody who is no more when he leaves.
make_login gone
open_session gone su - "$user"
is "a session of his" "$(in_session gone "$look")" "$runtime"
userdel --force "$user" 2>/dev/null
close_session gone
clean_soon "the user is removed before he leaves: nothing of his stays"

# What a killed program left.
make_login bob
sleep 0 & gone=$!
wait $gone
echo -n $gone >/etc/subuid.lock
is "the lock of one who died" "$(ssh_in "$look")" "$runtime"
given "is no lock"
ok "and gone" gone /etc/subuid.lock

# Where the administrator wants no login without.
control=required use_module wait=1 required_ready
make_login carol
mount -o remount,bind,ro /etc
forget_log
run ssh_in echo logged in
unlike "required_ready, a read-only /etc: no login" "$rc $out" "^0|logged in"
like "it is said" "$(logged)" "read-only"
clean_soon "and nothing is left"
use_login bob
ok "who has his may" ssh_in true
mount -o remount,bind,rw /etc
use_login carol
ok "later she may" ssh_in true
given "and has hers"
user=root
ok "root always may" ssh_in true

# A fleet: a directory service has the ranges.
use_module
make_login dora
echo "subid: sss" >>/etc/nsswitch.conf
is "ranges of a plug-in are its business" "$(ssh_in "$look") $(ranges)" "$runtime "
clean_soon "nothing is left"
done_testing
