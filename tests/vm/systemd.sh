#!/bin/bash
# With systemd as pid 1: what check makes of a user without a session, of a bus that is dead and of
# cgroups that are not delegated; that its remedies heal that; and that fix does, and undo takes it back.
set -eu
# No namespaces of the test's own: systemd has to see the user. The guest is thrown away.
RLTEST_INSIDE=$(mktemp -d /var/tmp/rltest.XXXXXX)
chmod 755 "$RLTEST_INSIDE"
mkdir -p /var/lib/rootless-toolkit
export RLTEST_INSIDE
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"
use_programs
make_user session
runtime=/run/user/$uid

check() { run as_user rootless-setup check "$@"; }
# NAME STATUS [TEXT]: the line of that check
says() { like "$1: $2" "$out" $'\n'"$2 +$1 .*${3:-}"; }
gone() { [ ! -e "$runtime" ]; }
delegate_anew() {
    systemctl restart "user@$uid.service"
    wait_for 180 test -S "$runtime/bus"
}
# What check prints, from behind the heading to the verdict.
offered() { sed -n '/^Remedies, to paste/,/ready for rootless engines/p' <<<"$out" | sed '1d;$d'; }
paste_as_root() {
    run env -u XDG_RUNTIME_DIR rootless-setup check --user "$user" "$@"
    offered >"$work/pasted"
    ok "the remedy can be pasted: $*" sh <"$work/pasted"
}

is "pid 1" "$(cat /proc/1/comm)" systemd
check runtime-dir bus linger cgroup
is "without a session: not ready" "$rc" 1
says "XDG_RUNTIME_DIR" failed "No such file"
says "user's D-Bus" skipped
says "services after logout" hint
says "cgroup v2" warning "no cgroup that $user may write to"
like "what to type" "$out" "loginctl enable-linger $uid"
like "who may set it" "$out" "Or let it be set: sudo rootless-setup fix runtime-dir"

paste_as_root runtime-dir
wait_for 180 test -S "$runtime/bus"
check runtime-dir bus linger cgroup
is "after the remedy: ready" "$rc" 0
says "XDG_RUNTIME_DIR" ok
says "user's D-Bus" ok "took me for uid $uid"
says "services after logout" ok
# As Debian has it.
says "cgroup v2" hint "user@$uid.service is delegated with: .*memory pids"
like "what is missing" "$out" "not delegated: cpuset"
loginctl disable-linger "$user"
wait_for 180 gone

run rootless-setup fix --user "$user" runtime-dir
is "fix runtime-dir: status" "$rc:$err" "0:"
wait_for 180 test -S "$runtime/bus"
check runtime-dir bus linger
is "after fix: ready" "$rc" 0
run rootless-setup undo
is "undo: status" "$rc:$err" "0:"
ok "undo: the session ends" wait_for 180 gone
check linger
says "services after logout" hint
is "undo: no file is left" "$(ls /var/lib/systemd/linger)" ""

loginctl enable-linger "$user"
wait_for 180 test -S "$runtime/bus"
run rootless-setup fix --user "$user" cgroup
is "fix cgroup: status" "$rc:$err" "0:"
delegate_anew
check cgroup
says "cgroup v2" ok "cpuset cpu io memory pids"
run rootless-setup undo cgroup
is "undo cgroup: status" "$rc:$err" "0:"
is "undo cgroup: no file is left" "$(ls -A /etc/systemd/system/user@.service.d 2>/dev/null)" ""
delegate_anew
check cgroup
says "cgroup v2" hint

mkdir -p /etc/systemd/system/user@.service.d
printf '[Service]\nDelegate=\nDelegate=pids\n' >/etc/systemd/system/user@.service.d/10-rltest.conf
systemctl daemon-reload
delegate_anew
check cgroup
says "cgroup v2" warning "delegated with: memory pids"
like "the cause" "$out" "not delegated: cpu cpuset io"
paste_as_root cgroup
delegate_anew
check cgroup
says "cgroup v2" ok
rm -r /etc/systemd/system/user@.service.d
systemctl daemon-reload

# The bus goes while it is asked to.
as_user systemctl --user stop dbus.socket dbus.service || true
rm -f "$runtime/bus"
as_user python3 -c "import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1])" "$runtime/bus"
check bus
says "user's D-Bus" warning "Connection refused"
offered >"$work/pasted"
like "a dead bus: what to type" "$(cat "$work/pasted")" "systemctl --user restart dbus.socket"
run as_user sh <"$work/pasted"
check bus
says "user's D-Bus" ok

mkdir -p /run/user/0
# shellcheck disable=SC2034 # of lib.sh
env_user=(XDG_RUNTIME_DIR=/run/user/0)
check runtime-dir
says "XDG_RUNTIME_DIR" failed "belongs to uid 0"
like "as su leaves it" "$out" "kept by su or sudo from the session of uid 0"
done_testing
