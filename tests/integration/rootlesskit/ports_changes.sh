#!/bin/bash
# Published ports while things change: services that restart all the time, ports that come and go beside others,
# a host without IPv6.
set -eu
# shellcheck disable=SC2034 # for lib.sh
own_network=1
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
use_programs
install -m 644 "$(dirname "$0")"/*.py "$work/"
make_kit_user changes
tcp() { timeout 100 python3 "$work/tcp.py" "$1" 127.0.0.1 "${@:2}"; }
udp() { timeout 100 python3 "$work/udp.py" "$1" 127.0.0.1 "${@:2}"; }
answers() { [ "$(tcp first "$1")" = hello ]; }
in_child() { nsenter -t "$(cat "$state/child_pid")" -n "$@"; }
gone() { ! kill -0 "$1" 2>/dev/null; }

# In the child: hello on 81, sum on 82, echo on 83.
# shellcheck disable=SC2016
servers='cd '"$work"'; python3 tcp.py hello 0.0.0.0 81 & python3 tcp.py sum 127.0.0.1 82 & python3 tcp.py echo 127.0.0.1 83 &
python3 udp.py echo 127.0.0.1 92 & wait'
start_kit --net=none --port-driver=builtin -p 127.0.0.1:8081:81/tcp -p 127.0.0.1:8082:82/tcp -p 127.0.0.1:8083:83/tcp \
    -p 127.0.0.1:8090:90/tcp -p 127.0.0.1:8091:91/udp -p 127.0.0.1:8092:92/udp sh -c "$servers"
ok "published ports answer" wait_for 20 answers 8081
udp_flows() { ctl flows --json | grep -c '"proto":"udp","direction":"published","state":"open","portID":6,' || true; }
wait_for 10 in_child sh -c "ss -lunH 'sport = :92' | grep -q ."
is "50 clients by UDP" "$(udp many 8092 50)" 50
is "are flows" "$(udp_flows)" 50
plane=$(plane)

# Services that live a second, until there is $work/enough.
restart() { # ss-OPTIONS PORT PROGRAM WORD ADDRESS PORT
    local service
    while [ ! -e "$work/enough" ]; do
        nsenter -t "$(cat "$state/child_pid")" -n python3 "$work/$3.py" "${@:4}" &
        service=$!
        wait_for 20 in_child sh -c "ss $1 'sport = :$2' | grep -q ." || true
        sleep 1
        kill "$service"
        wait "$service" 2>/dev/null || true
    done
}
restart -ltnH 90 tcp hello 127.0.0.1 90 &
tcp_restarts=$!
restart -lunH 91 udp echo 127.0.0.1 91 &
udp_restarts=$!
udp follow 8091 >"$work/follow" &
follow=$!
both_seen() {
    tcp kinds 8090 100 | tr ' ' '\n' >>"$work/kinds"
    [ "$(sort -u "$work/kinds" | wc -l)" -ge 2 ]
}
wait_for 20 both_seen || true
for _ in 1 2 3 4 5; do tcp kinds 8090 100 | tr ' ' '\n' >>"$work/kinds"; done
is "a service that restarts every second answers or refuses, nothing else" "$(sort -u "$work/kinds" | xargs)" "ECONNRESET hello"
touch "$work/enough"
wait "$tcp_restarts" "$udp_restarts"
is "a UDP client of one socket hears from them" "$(cat "$work/follow")" x
in_child python3 "$work/tcp.py" hello 127.0.0.1 90 &
last=$!
in_child python3 "$work/udp.py" who 127.0.0.1 91 &
last_udp=$!
ok "and the last one answers" wait_for 30 answers 8090
ok "that of UDP, too, on the same socket of the client" wait_for 10 grep -qx 127.0.0.1 "$work/follow"
kill "$follow"
wait "$follow" 2>/dev/null || true
asked() { [ "$(udp ask 8091 10)" = 127.0.0.1 ]; }
ok "from the address that was asked" wait_for 30 asked
kill "$last" "$last_udp"

# Ports come and go while others are busy.
tcp send 8082 600 >"$work/sum" &
client=$!
mkfifo "$work/talk.in"
exec 3<>"$work/talk.in"
tcp talk 8083 <"$work/talk.in" >"$work/talk" 3>&- &
talker=$!
echo begin >&3
ok "a conversation" wait_for 10 grep -qx begin "$work/talk"
rounds=0
while [ "$rounds" -lt 20 ] || { ! gone "$client" && [ "$rounds" -lt 200 ]; }; do
    ids=$(ctl add-ports "127.0.0.1:8084:81/tcp" "127.0.0.1:8085:91/udp" "127.0.0.1:8086:82/tcp")
    tcp storm 8084 50
    [ "$(tcp first 8084)" = hello ] || fail "a port that was just added answers"
    # shellcheck disable=SC2086 # words
    ctl remove-ports $ids >/dev/null
    rounds=$((rounds + 1))
done
wait "$client" || true
is "a transfer beside $rounds rounds of ports that come and go is whole" "$(cat "$work/sum")" same
echo still >&3
ok "the conversation goes on" wait_for 10 grep -qx still "$work/talk"
exec 3>&-
wait "$talker" || true
is "to its own end" "$(tail -n 1 "$work/talk")" end
is "only the first six ports are left" "$(ctl list-ports --json | wc -l)" 6
is "nobody listens for the others" "$(ss -ltnH 'sport >= :8084 and sport <= :8086')" ""
ok "the data plane is the same" kill -0 "$plane"
expired() { [ "$(udp_flows)" = 0 ]; }
ok "what was idle for 90 s is no flow any more" wait_for 120 expired
is "and comes back with the next datagram" "$(udp many 8092 50)" 50
stop_kit

# A host that uses no IPv6.
if [ -e /proc/sys/net/ipv6/conf/all/disable_ipv6 ]; then
    sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    for net in none gateway; do
        start_kit --net=$net --port-driver=builtin --copy-up=/etc -p 8081:81/tcp -p 8082:82/tcp4 -p 8091:91/udp sh -c "$servers"
        ok "$net without IPv6: a port of every address" wait_for 20 answers 8081
        is "$net without IPv6: tcp4" "$(tcp send 8082 1)" same
        in_child python3 "$work/udp.py" echo 127.0.0.1 91 &
        server=$!
        ok "$net without IPv6: udp" wait_for 30 asked
        kill "$server"
        run ctl add-ports '[::1]:8085:81/tcp6'
        like "$net without IPv6: an IPv6 address is refused with the reason" "$rc $err" "^1 error: cannot listen on \[::1\]:8085 .*no interface of this host has ::1"
        stop_kit
    done
else
    skip "a host without IPv6" "this one has never had any"
fi
done_testing
