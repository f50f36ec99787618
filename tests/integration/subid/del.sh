#!/bin/bash
# subid del: whose ranges it takes, and that ids in use stay.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

del() {
    "$setup" subid del --root "$root" "$@"
}
lines() {
    fresh
    echo 'alias:x:1000:1000::/:/bin/sh' >>"$root/etc/passwd"
    echo 'staff:x:1001:alice' >>"$root/etc/group"
    printf '# c\nalice:100000:10\nbob:200000:10\nalias:300000:10\n1000:400000:10\ngone:500000:10\n4711:600000:10\n' |
        tee "$root/etc/subuid" >"$root/etc/subgid"
}
owners() {
    cut -d: -f1 "$root/etc/subuid" | tr '\n' ' '
}

# ---- whose ----
lines
is "a user: by name, other name and number" "$(del alice)" "alice: 30 uids and 30 gids taken back"
is "the others' stay" "$(owners)" "# c bob gone 4711 "
lines
is "many, gone ones by name and number" "$(printf 'gone\n\n#x\n4711' | del bob -)" \
    "bob: 10 uids and 10 gids taken back
gone: 10 uids and 10 gids taken back
4711: 10 uids and 10 gids taken back"
is "the others' stay" "$(owners)" "# c alice alias 1000 "
lines
del --group staff >/dev/null
is "a group" "$(owners)" "# c gone 4711 "
lines
is "two names of one uid are one" "$(del alias alice)" "alias: 30 uids and 30 gids taken back"
lines
is "within a range, of many" "$(del --range 200005-300004 alice bob)" "alice: 5 uids and 5 gids taken back
bob: 5 uids and 5 gids taken back"
is "cut in their places" "$(cat "$root/etc/subgid")" "# c
alice:100000:10
bob:200000:5
alias:300005:5
1000:400000:10
gone:500000:10
4711:600000:10"
lines
refused "no user" 2 "whose?" del
refused "a range for a word" 2 "--range" del alice 100000-100009
refused "a range backwards" 1 "is no range" del alice --range 9-1
refused "all users" 2 "unknown option --all-users" del --all-users
if command -v python3 >/dev/null; then
    is "as JSON" "$(del --json -n alice gone | python3 -c 'import json, sys
d = json.load(sys.stdin)
print(d["changed"], d["dry_run"], [(u["user"], u["uids_removed"]) for u in d["users"]])')" \
        "True True [('alice', 30), ('gone', 10)]"
else
    skip "as JSON" "python3 is not installed"
fi

# ---- ids in use ----
root=$work/etc # what refused() compares
make_user busy none
printf '%s:700000:100\n' "$user" | tee /etc/subuid >/etc/subgid
first=700000
# The process holds the id once its command runs.
runs_as() {
    setpriv "$@" --clear-groups sleep 600 &
    pid=$!
    wait_for 10 grep -q '^sleep' "/proc/$pid/comm"
}
ends() {
    kill "$pid"
    wait "$pid" 2>/dev/null || true
}
runs_as --reuid $((first + 7)) --regid 65534
refused "a process with the uid" 1 "$user is busy: process $pid (sleep) runs with uid $((first + 7))" \
    "$setup" subid del "$user"
refused "a dry run says so too" 1 "is busy" "$setup" subid del -n "$user"
refused "by a range that holds it" 1 "is busy" "$setup" subid del --range $first-$((first + 7)) "$user"
ok "other ids may go" "$setup" subid del --range $((first + 50))-$((first + 59)) "$user"
is "with --force too" "$("$setup" subid del --force --range $((first + 7))-$((first + 7)) "$user")" \
    "$user: 1 uids and 1 gids taken back"
mkdir -p "$work/image/etc"
cp /etc/passwd /etc/subuid /etc/subgid "$work/image/etc"
ok "an image's ids are not this machine's" "$setup" subid del --root "$work/image" "$user"
ends
printf '%s:700000:100\n' "$user" | tee /etc/subuid >/etc/subgid
runs_as --reuid 65534 --regid $first
refused "a process with the gid" 1 "process $pid (sleep) runs with gid $first" "$setup" subid del "$user"
ends
setpriv --reuid 65534 --regid 65534 --groups $((first + 99)) sleep 600 &
pid=$!
wait_for 10 grep -q '^sleep' "/proc/$pid/comm"
refused "a supplementary group" 1 "runs with gid $((first + 99))" "$setup" subid del "$user"
ends
if command -v python3 >/dev/null; then
    mkfifo -m 666 "$work/ready"
    python3 -c "
import ctypes, os, threading, time
def turn():
    # the system call itself: of libc's function all threads would turn
    ctypes.CDLL(None).syscall(117 if os.uname().machine == 'x86_64' else 147, $first, $first, $first)
    open('$work/ready', 'w').close()
    time.sleep(600)
threading.Thread(target=turn, daemon=True).start()
time.sleep(600)" &
    pid=$!
    : <"$work/ready"
    refused "one thread of a process" 1 "process $pid (python3) runs with uid $first" "$setup" subid del "$user"
    ends
else
    skip "one thread of a process" "python3 is not installed"
fi
runs_as --reuid $first --regid $first
userdel "$user" 2>/dev/null || true
printf '%s:700000:100\n' "$user" | tee /etc/subuid >/etc/subgid
refused "ids of a user who is gone" 1 "$user is busy" "$setup" subid del "$user"
ends
is "when all has ended it goes" "$("$setup" subid del "$user")" "$user: 100 uids and 100 gids taken back"
done_testing
