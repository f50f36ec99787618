#!/bin/bash
# --detach-netns: the command stays in the host's network, the new one is a file in the state directory.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
use_programs
install -m 644 "$(dirname "$0")"/tcp.py "$work/"
make_kit_user detach

port=$(free_port)
python3 "$work/tcp.py" hello 127.0.0.1 "$port" &
wait_for 10 sh -c "ss -ltnH 'sport = :$port' | grep -q ."
before=$(namespaces)
# shellcheck disable=SC2016 # for the shell inside
inside='nsenter -n"$ROOTLESSKIT_STATE_DIR/netns"'

run as_user rootlesskit --net=gateway --detach-netns ip -br addr show
is "the command sees the host's interfaces" "$out" "$(ip -br addr show)"
run as_user rootlesskit --net=gateway --detach-netns --copy-up=/etc cat /etc/resolv.conf
is "and the host's resolvers" "$out" "$(cat /etc/resolv.conf)"
for driver in none gateway; do
    run as_user rootlesskit --net=$driver --detach-netns sh -c "$inside ip -br addr show lo"
    like "$driver: netns is a network with a loopback" "$out" "lo .*127.0.0.1/8"
    [ $driver != none ] || continue
    run as_user rootlesskit --net=$driver --detach-netns sh -c "$inside ip -br addr show tap0"
    like "$driver: and with its interface" "$out" "^tap0.* 10.0.2.100/24"
    run as_user rootlesskit --net=$driver --detach-netns sh -c "$inside python3 $work/tcp.py first 10.0.2.2 $port"
    is "$driver: which leads to the host's loopback" "$out" hello
    run as_user rootlesskit --net=$driver --detach-netns --disable-host-loopback \
        sh -c "$inside python3 $work/tcp.py first 10.0.2.2 $port"
    unlike "$driver: not with --disable-host-loopback" "$out" hello
done
run as_user rootlesskit --net=gateway --detach-netns sh -c "$inside sysctl -w net.ipv4.ip_forward=1"
is "its sysctls can be set, as dockerd-rootless.sh does" "$out" "net.ipv4.ip_forward = 1"

# shellcheck disable=SC2016
start_kit --net=gateway --detach-netns --port-driver=builtin sh -c \
    "$inside python3 $work/tcp.py hello 127.0.0.1 8000 & sleep 1000"
out_port=$(free_port)
ctl add-ports "127.0.0.1:$out_port:8000/tcp" >/dev/null
reached() { [ "$(python3 "$work/tcp.py" first 127.0.0.1 "$out_port")" = hello ]; }
ok "a published port leads into it" wait_for 20 reached
run as_user nsenter -U -m --preserve-credentials -t "$(cat "$state/child_pid")" ip -br addr show
is "the command's own network is the host's" "$out" "$(ip -br addr show)"
is "netns is a file of the user's outside" "$(stat -c '%F %a %U' "$state/netns")" "regular empty file 400 $user"
kill -KILL "$kit"
wait "$kit" 2>/dev/null || true
ok "SIGKILL of the parent: no process is left" wait_for 5 family_gone
ok "no state directory" wait_for 5 test ! -e "$state"
is "no namespace" "$(namespaces)" "$before"
done_testing
