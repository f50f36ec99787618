#!/bin/bash
# How uidmapd begins and ends, with and without a service manager.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

has_children() {
    ! has_no_children
}

start_target $alice
check "no broker" uid_map 1 "" "uidmapd is not running" as $alice "$asking_uidmap" "$target" 0 100000 1

start_broker "$uidmapd"
is "anybody may connect" "$(stat -c '%a %u' /run/uidmapd /run/uidmapd/sock | tr '\n' ' ')" "755 0 666 0 "
run "$uidmapd"
is "a second broker does not start" "$rc $err" "1 uidmapd: another uidmapd is running at /run/uidmapd/sock"
check "the first still serves" uid_map 0 "0 100000 1" "" as $alice "$asking_uidmap" "$target" 0 100000 1
stop_broker TERM
is "SIGTERM ends it, and nothing is said" "$rc $(cat "$work/broker.log")" "0 "
[ ! -e /run/uidmapd/sock ] && bad=0 || bad=1
report "$bad" "its socket is gone" "$(ls -la /run/uidmapd)"

# Killed with a request under way. Stopped first, so that the request cannot be faster.
start_broker "$uidmapd"
kill -STOP "$broker"
start_target $alice
as $alice "$asking_uidmap" "$target" 0 100000 1 2>"$work/said" &
waiting=$!
is_waiting() { # a connection that the broker has not accepted yet
    [ "$(ss -lxH src /run/uidmapd/sock | awk '{ print $3 }')" = 1 ]
}
wait_for 20 is_waiting
stop_broker KILL
rc=0
wait "$waiting" || rc=$?
like "the broker is killed: its client says so" "$rc $(cat "$work/said")" "^1 newuidmap: uidmapd (ended without an answer|is not running)"
is "the broker is killed: nothing was written" "$(map_of uid_map)" ""
[ -S /run/uidmapd/sock ] && bad=0 || bad=1
report "$bad" "the socket stays behind" "$(ls -la /run/uidmapd)"
check "nobody behind the socket" uid_map 1 "" "uidmapd is not running" as $alice "$asking_uidmap" "$target" 0 100000 1
start_broker "$uidmapd"
check "a new broker takes the place of a dead one" uid_map 0 "0 100000 1" "" \
    as $alice "$asking_uidmap" "$target" 0 100000 1
stop_broker TERM

# Places where it must not listen.
touch /run/uidmapd/sock
run "$uidmapd"
like "a file where the socket should be" "$rc $err" "^1 .*is no socket: remove it"
rm /run/uidmapd/sock
chmod 1777 /run/uidmapd
run "$uidmapd"
like "a folder that others write to" "$rc $err" "^1 .*others may write to /run/uidmapd"
chmod 755 /run/uidmapd
run "$uidmapd" --socket "/run/$(printf 'x%.0s' {1..120})"
like "a path that is too long" "$rc $err" "^1 .*too long"
run "$uidmapd" --sock
like "an unknown option" "$rc $err" "^2 uidmapd: \"--sock\""
run as $alice "$uidmapd" --socket "$work/sock"
isnt "a user cannot start it" "$rc" 0
run as $alice env LISTEN_FDS=1 LISTEN_PID=1 "$uidmapd" --socket=relative
like "a relative path" "$rc $err" "^2 "
run sh -c "LISTEN_FDS=1 LISTEN_PID=\$\$ exec $uidmapd 3</dev/null"
like "a passed fd that is no socket" "$rc $err" "^1 .*LISTEN_FDS"
run sh -c "LISTEN_FDS=2 LISTEN_PID=\$\$ exec $uidmapd"
like "two passed fds" "$rc $err" "^1 .*uidmapd takes one socket"

# Name services that hang hold up their user only, and SIGTERM waits for who is being served.
nobody=47020
echo "$nobody:700000:100" >>/etc/subuid
if lay_over "$libexec"; then
    install -m 711 "$hang" "$libexec/rootless-nss"
    start_broker "$uidmapd"
    start_target $nobody
    late=$target
    as $nobody "$asking_uidmap" "$late" 0 700000 1 2>"$work/said" &
    waiting=$!
    wait_for 20 has_children
    start_target $alice
    check "name services that hang: others are served" uid_map 0 "0 100000 1" "" \
        as $alice "$asking_uidmap" "$target" 0 100000 1
    stop_broker TERM
    ended=$rc rc=0
    wait "$waiting" || rc=$?
    like "name services that hang: one is told" "$rc $(cat "$work/said")" "^1 .*did not answer within 10 seconds"
    is "SIGTERM waits for who is being served" "$ended" 0
    umount "$libexec" 2>/dev/null || true
else
    skip "name services that hang" "cannot put a helper into $libexec"
fi

# As the units start it: by its socket, as a service user with two capabilities.
if ! command -v systemd-socket-activate >/dev/null; then
    skip "socket activation" "no systemd-socket-activate"
else
    mkdir -p /run/uidmapd
    rm -f /run/uidmapd/sock
    start_broker systemd-socket-activate --seqpacket --listen=/run/uidmapd/sock \
        setpriv --reuid 61999 --regid 61999 --clear-groups \
        --inh-caps=-all,+setuid,+setgid --ambient-caps=-all,+setuid,+setgid \
        --bounding-set=-all,+setuid,+setgid --no-new-privs "$uidmapd"
    chmod 666 /run/uidmapd/sock
    run "$uidmapd"
    like "a broker of one's own beside the service manager's" "$rc $err" "^1 .*somebody listens"
    start_target $alice
    check "socket activation: newuidmap" uid_map 0 "0 $alice 1; 1 100000 10" "" \
        as $alice "$asking_uidmap" "$target" 0 $alice 1 1 100000 10
    check "socket activation: newgidmap" gid_map 0 "0 $alice 1" "" as $alice "$asking_gidmap" "$target" 0 $alice 1
    start_target $bob
    check "socket activation: another's process" uid_map 1 "" "owned by a different user" \
        as $alice "$asking_uidmap" "$target" 0 100000 10
    is "socket activation: it is the service user, without more" \
        "$(sed -n 's/^\(Uid\|CapPrm\|CapAmb\|Groups\):[ \t]*//p' "/proc/$broker/status" | tr -s '\t\n ' ' ')" \
        "61999 61999 61999 61999 00000000000000c0 0000000000000000 "
    stop_broker TERM
    is "socket activation: SIGTERM" "$rc" 0
    [ -S /run/uidmapd/sock ] && bad=0 || bad=1
    report "$bad" "socket activation: the socket is the service manager's to remove" "$(ls -la /run/uidmapd)"
fi

if ! command -v systemd-analyze >/dev/null; then
    skip "the units" "no systemd-analyze"
else
    mkdir "$work/units"
    cp "$SOURCE_ROOT/packaging/systemd/uidmapd.socket" "$work/units/"
    sed "s|^ExecStart=.*|ExecStart=$uidmapd|" "$BUILD_ROOT/packaging/uidmapd.service" >"$work/units/uidmapd.service"
    run systemd-analyze verify --man=no "$work/units/uidmapd.socket" "$work/units/uidmapd.service"
    is "systemd-analyze verify" "$rc $err" "0 "
    ok "systemd-analyze security: exposure of at most 2.5" \
        systemd-analyze security --offline=true --no-pager --threshold=25 "$work/units/uidmapd.service"
fi
done_testing
