#!/bin/bash
# The machine's network changes while the gateway runs: what is new works at once, what hangs on the old
# path ends as TCP does. Nothing is restarted.
set -eu
# shellcheck source=outside.sh
. "$(dirname "$0")/outside.sh"
trap "" PIPE # of a client that has ended
use_programs
install -m 644 "$(dirname "$0")"/peer.py "$(dirname "$0")"/../rootlesskit/{tcp,dns}.py "$work/"
use_outside
make_kit_user changes
serves 9000 python3 "$work/peer.py" serve 9000
serves 9004 python3 "$work/tcp.py" who 0.0.0.0 9004
serves 9006 python3 "$work/tcp.py" who :: 9006
start_gateway
say_families
# Seconds instead of a quarter of an hour until the machine's TCP gives up.
sysctl -qw net.ipv4.tcp_retries2=4
# An address is there at once.
sysctl -qw net.ipv6.conf.cable0.accept_dad=0 2>/dev/null || true

here() { timeout 60 python3 "$work/$1.py" "${@:2}" 2>&1; }
child() { in_child timeout 60 python3 "$work/$1.py" "${@:2}" 2>&1; }
# hold N; ask N: a connection that stays, and a question over it
hold() {
    mkfifo -m 666 "$work/line$1"
    in_child python3 "$work/peer.py" line "$to" 9000 <"$work/line$1" >"$work/held$1" 2>&1 &
    eval "exec $((10 + $1))>\"$work/line$1\""
    wait_for 30 answered "$1" 1
}
ask() { echo question >&$((10 + $1)); }
answered() { [ "$(wc -l <"$work/held$1")" -ge "$2" ]; }
said() { tail -n 1 "$work/held$1"; }

uplink_up() {
    ip link set cable0 up
    ip route replace default via "$outside"
    ip -6 route replace default via "$outside6" 2>/dev/null || true
}
off_and_on() {
    hold "$family"
    ask "$family"
    wait_for 30 answered "$family" 2 || true
    is "${of}a connection before" "$(said "$family")" same
    ip link set cable0 down
    like "${of}the interface is down: the machine is told" "$(here peer open "$to" 9000 5)" "UNREACH"
    like "${of}and so is the child" "$(child peer open "$to" 9000 5)" "UNREACH"
    ask "$family"
    # Going down takes IPv6 addresses away.
    ip -6 addr replace "$machine6/64" dev cable0 nodad 2>/dev/null || true
    uplink_up
    is "${of}up again: a new connection works at once" "$(child tcp first "$to" "900$family")" \
        "$(here tcp first "$to" "900$family")"
    ok "${of}and the old one goes on" wait_for 30 answered "$family" 3
    is "${of}without a loss" "$(said "$family")" same
}
address_changes() { # OLD NEW BITS
    ip addr del "$1/$3" dev cable0
    ip addr add "$2/$3" dev cable0
    uplink_up
    ask "$family"
    is "${of}another address: a new connection has it at once" "$(child tcp first "$to" "900$family")" "$2"
    ok "${of}one that hangs on the old address ends" wait_for 60 answered "$family" 4
    like "${of}with an error" "$(said "$family")" "^(ECONNRESET|EPIPE|ETIMEDOUT)$"
}

for family in "${families[@]}"; do
    of="IPv$family: " to=$(address "$family")
    off_and_on
    if [ "$family" = 4 ]; then
        address_changes "$machine" 198.18.9.2 24
    else
        address_changes "$machine6" fd00:9::2 64
    fi
done

# A second uplink, and behind both the same far address.
new_network $$
second_pid=$pid
on_second() { nsenter --net="/proc/$second_pid/ns/net" "$@"; }
ip link add cable1 type veth peer name cable1 netns "$second_pid"
on_second ip link set lo up
on_second ip addr add 198.18.20.7/24 dev cable1
on_second ip -6 addr add fd00:20::7/64 dev cable1 nodad 2>/dev/null || true
on_second ip link set cable1 up
ip addr add 198.18.20.1/24 dev cable1
ip -6 addr add fd00:20::1/64 dev cable1 nodad 2>/dev/null || true
ip link set cable1 up
for place in on_outside on_second; do
    $place ip addr add 203.0.113.7/32 dev lo
    $place ip -6 addr add fd00:ffff::7/128 dev lo nodad 2>/dev/null || true
done
for family in "${families[@]}"; do
    on_second python3 "$work/tcp.py" who "$([ "$family" = 4 ] && echo 0.0.0.0 || echo ::)" "900$family" &
    at_end kill $!
done
wait_for 30 on_second sh -c 'ss -ltnH "sport = :9004" | grep -q .' || true
for family in "${families[@]}"; do
    of="IPv$family: " to=203.0.113.7 first=198.18.9.2 second=198.18.20.1 gateway=198.18.20.7
    [ "$family" = 4 ] || to=fd00:ffff::7 first=fd00:9::2 second=fd00:20::1 gateway=fd00:20::7
    is "${of}by the first uplink" "$(child tcp first "$to" "900$family")" "$first"
    ip "-$family" route replace default via "$gateway" dev cable1
    is "${of}by the second, once the default route leads there" "$(child tcp first "$to" "900$family")" "$second"
    [ "$family" = 4 ] || is "${of}IPv4 stays there" "$(child tcp first 203.0.113.7 9004)" 198.18.20.1
done

# The resolver changes again and again while names are looked up.
for n in 1 2; do
    python3 "$work/dns.py" "127.0.0.11$n" "192.0.2.11$n" &
    at_end kill $!
    wait_for 30 dig +short +time=1 +tries=1 "@127.0.0.11$n" a.example
done
name_resolver() {
    echo "nameserver 127.0.0.11$1" >/etc/resolv.conf.new
    mv /etc/resolv.conf.new /etc/resolv.conf
}
name_resolver 1
now() { [ "$(in_child dig +short +time=3 +tries=1 a.example)" = "192.0.2.11$1" ]; }
ok "the new resolver is asked" wait_for 30 now 1
# shellcheck disable=SC2016 # for the shell inside
many_lookups='for i in $(seq 50); do dig +short +time=5 +tries=1 "n$i.example"; done'
lookups=()
for i in 1 2; do
    in_child sh -c "$many_lookups" >"$work/lookups$i" 2>&1 &
    lookups+=($!)
done
changes=0
while kill -0 "${lookups[@]}" 2>/dev/null; do
    name_resolver $((changes % 2 + 1))
    changes=$((changes + 1))
    sleep 0.05
done
wait "${lookups[@]}" || true
note "$changes changes of resolv.conf meanwhile"
is "no lookup fails meanwhile" "$(cat "$work"/lookups? | grep -c '^192\.0\.2\.11[12]$')" 100
name_resolver 2
ok "and the last one is asked at the end" wait_for 30 now 2
stop_kit
done_testing
