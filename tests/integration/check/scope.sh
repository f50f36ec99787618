#!/bin/bash
# A scope of the user's systemd: asked for at a real bus, of a real user manager where there is one.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

ranges "rltest-alice:3000000:65536"
dbus=$(type -P dbus-daemon) || skip_all "no dbus-daemon"
systemd=/usr/lib/systemd/systemd

# A machine that systemd has booted, as far as anybody asks.
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/systemd/system
check scope
expect "no bus" 0 scope hint "not tried: see bus" ""

as_alice "$dbus" --session --nofork --address="unix:path=$runtime/bus" 2>"$work/dbus" &
at_end kill $!
wait_for 10 test -S "$runtime/bus"
check bus scope
expect "a bus takes her" 0 bus ok "took me for uid $alice"
expect "a bus without a manager" 0 scope warning "no user manager is on it" "enable-linger"

"$python" -IS - "$runtime/silent" <<'END' &
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
c, _ = s.accept()
c.recv(100)
c.send(b"OK 0\r\n")
time.sleep(60)
END
at_end kill $!
wait_for 10 test -S "$runtime/silent"
chown $alice "$runtime/silent"
run as_alice env DBUS_SESSION_BUS_ADDRESS="unix:path=$runtime/silent" "$setup" check --json scope
expect "a bus that says nothing" 0 scope warning "ETIMEDOUT"

mount -t cgroup2 none /sys/fs/cgroup 2>/dev/null || true
group=/sys/fs/cgroup/rltest-scope
if ! [ -x "$systemd" ]; then
    skip "a user manager" "no systemd here"
elif ! mkdir "$group" 2>/dev/null; then
    skip "a user manager" "no cgroup v2 here"
else
    leave() {
        kill "$manager" 2>/dev/null || true
        wait_for 30 empty || true
        find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
    }
    empty() { ! grep -q 1 "$group/cgroup.events"; }
    chown -R $alice "$group"
    (
        echo "$BASHPID" >"$group/cgroup.procs"
        exec env -i PATH="$path" HOME="$work/home-alice" XDG_RUNTIME_DIR="$runtime" \
            DBUS_SESSION_BUS_ADDRESS="unix:path=$runtime/bus" SYSTEMD_LOG_TARGET=console SYSTEMD_LOG_LEVEL=debug \
            "$setpriv" --reuid $alice --regid $alice --clear-groups "$systemd" --user --unit=basic.target
    ) >"$work/manager" 2>&1 &
    manager=$!
    at_end leave
    ready() { as_alice busctl --address="unix:path=$runtime/bus" status org.freedesktop.systemd1 >/dev/null 2>&1; }
    wait_for 60 ready || note "$(ps -u $alice -o pid,stat,args; tail -n 50 "$work/manager")"
    check scope
    expect "a manager that may not move her process" 0 scope warning "did not move the process" ""
    mkdir "$group/login"
    chown -R $alice "$group/login"
    # shellcheck disable=SC2016
    run sh -c 'echo $$ >"$1" && shift && exec "$@"' sh "$group/login/cgroup.procs" \
        env PATH="$path" XDG_RUNTIME_DIR="$runtime" "$setup" check --json --user rltest-alice scope
    controllers=$(cat "$group/cgroup.controllers")
    case " $controllers " in
    *" cpu "*memory*pids*) expect "limits that hold" 0 scope ok "limits of processor, memory, processes" ;;
    *) expect "limits that are dropped: nothing is delegated" 0 scope warning "made a scope, but without: cpu.max, memory.max, pids.max, io.weight" "Delegate=cpu cpuset io memory pids" ;;
    esac
    is "the scope is gone with its process" "$(find "$group" -name '*.scope' ! -name init.scope)" ""
fi
done_testing
