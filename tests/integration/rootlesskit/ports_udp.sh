#!/bin/bash
# Published UDP ports.
set -eu
# shellcheck disable=SC2034 # for lib.sh
own_network=1
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
use_programs
install -m 644 "$(dirname "$0")"/*.py "$work/"
ulimit -n "$(ulimit -Hn)"
make_kit_user udp
ip addr add 198.18.7.1/32 dev lo
ip addr add 198.18.7.2/32 dev lo
ipv6=
if ip -6 addr add fd00:7::1/128 dev lo nodad 2>/dev/null && ip -6 addr add fd00:7::2/128 dev lo nodad; then ipv6=1; fi

udp() { python3 "$work/udp.py" "$@"; }
answers() { [ "$(udp ask "$1" "$2" 10)" = "${3:-$1}" ]; }

# In the child: echo on 51, echo on [::1]:52, who on 53.
# shellcheck disable=SC2016
servers='cd '"$work"'; python3 udp.py echo 0.0.0.0 51 & python3 udp.py echo ::1 52 & python3 udp.py who 127.0.0.1 53 & wait'

for net in gateway none slirp4netns; do
    start_kit --net=$net --port-driver=builtin --copy-up=/etc -p 127.0.0.1:5051:51/udp sh -c "$servers"
    ok "$net: a published port answers" wait_for 30 answers 127.0.0.1 5051
    ctl add-ports 127.0.0.1:5052:10.0.2.100:51/udp4 >/dev/null
    if [ $net = none ]; then
        is "$net: no such address" "$(udp ask 127.0.0.1 5052 10)" silence
    else
        ok "$net: on the child's address too" answers 127.0.0.1 5052
    fi
    stop_kit
    ok "$net: closed at the end" wait_for 20 sh -c "! ss -lunH 'sport = :5051' | grep -q ."
done

start_kit --net=gateway --port-driver=builtin --copy-up=/etc -p 5051:51/udp sh -c "$servers"
wait_for 30 answers 127.0.0.1 5051 || true
ctl remove-ports 1 >/dev/null
data_plane=$(plane)
before=$(fds "$data_plane")
main=$(ctl add-ports 5051:51/udp)

addresses=127.0.0.1,127.0.0.2,198.18.7.1,198.18.7.2
is "the answer comes from the address that was asked" "$(udp ask $addresses 5051 100)" "${addresses//,/$'\n'}"
if [ -n "$ipv6" ]; then
    addresses=::1,fd00:7::1,fd00:7::2
    is "with IPv6 too" "$(udp ask $addresses 5051 100)" "${addresses//,/$'\n'}"
    six=$(ctl add-ports '[::1]:5053:[::1]:52/udp6' '127.0.0.1:5054:[::1]:52/udp4' '[::]:5055:51/udp6')
    is "IPv6 to IPv6" "$(udp ask ::1 5053 100)" ::1
    is "IPv4 to IPv6" "$(udp ask 127.0.0.1 5054 100)" 127.0.0.1
    is "udp6 at every address" "$(udp ask fd00:7::2 5055 100)" fd00:7::2
    is "is not for IPv4" "$(udp ask 127.0.0.1 5055 100)" silence
    is "the largest datagram of IPv6 to IPv6" "$(udp ask ::1 5053 65527)" ::1
    # shellcheck disable=SC2086
    ctl remove-ports $six >/dev/null
else
    skip "IPv6" "there is none here"
fi
ctl add-ports 198.18.7.1:5056:53/udp4 198.18.7.2:5056:51/udp4 >/dev/null
is "two addresses, one port: the first" "$(udp ask 198.18.7.1 5056 9)" 198.18.7.1
is "and the second" "$(udp ask 198.18.7.2 5056 9)" 198.18.7.2

marked() { udp marked "$1" "$2" 184 104; }
is_marked() { [ "$(marked "$@")" = "184 104" ]; }
marks() { nsenter -t "$(cat "$state/child_pid")" -n python3 "$work/udp.py" marks "$1" 58; }
marks 0.0.0.0 &
marking=($!)
service=$(ctl add-ports 5058:58/udp)
wait_for 20 is_marked 127.0.0.1 5058 || true
is "the type of service goes both ways" "$(marked 198.18.7.1 5058)" "184 104"
if [ -n "$ipv6" ]; then
    marks ::1 &
    marking+=($!)
    service+=" $(ctl add-ports '[::1]:5059:[::1]:58/udp6' '127.0.0.1:5059:[::1]:58/udp4')"
    wait_for 20 is_marked ::1 5059 || true
    is "with IPv6" "$(marked ::1 5059)" "184 104"
    is "from IPv4 to IPv6" "$(marked 127.0.0.1 5059)" "184 104"
fi
kill "${marking[@]}"
# shellcheck disable=SC2086
ctl remove-ports $service >/dev/null

is "an empty datagram" "$(udp ask 127.0.0.1 5051 0)" 127.0.0.1
is "the largest one" "$(udp ask 127.0.0.1 5051 65507)" 127.0.0.1
is "every length up to an Ethernet frame's" "$(udp mixed 127.0.0.1 5051 1500)" same
is "every length from an interface too" "$(udp mixed 198.18.7.1 5051 300)" same
is "bursts of equal small ones" "$(udp burst 127.0.0.1 5051 6400 100)" 6400
is "bursts of equal ones of a frame" "$(udp burst 127.0.0.1 5051 6400 1400)" 6400
is "bursts of large ones" "$(udp burst 127.0.0.1 5051 640 8000)" 640
is "200 clients at once" "$(udp many 127.0.0.1 5051 200)" 200
is "2000 flows" "$(for _ in 1 2 3 4 5 6 7 8 9 10; do udp many 127.0.0.1 5051 200; done | sort | uniq -c | xargs)" "10 200"

# A service that is not there stalls nobody, and may come.
ctl add-ports 127.0.0.1:5057:57/udp >/dev/null
udp burst 127.0.0.1 5057 256 100 >"$work/dead" &
client=$!
is "200 clients beside a dead service" "$(udp many 127.0.0.1 5051 200)" 200
wait "$client"
is "which answers nothing" "$(cat "$work/dead")" 0
nsenter -t "$(cat "$state/child_pid")" -n python3 "$work/udp.py" echo 127.0.0.1 57 &
server=$!
ok "until it is there" wait_for 20 answers 127.0.0.1 5057
kill "$server"

# Removal.
udp hold 127.0.0.1 5051 >"$work/held" &
client=$!
wait_for 10 grep -q answered "$work/held" || true
ctl remove-ports "$main" >/dev/null
wait "$client" || true
is "removing a port ends its flows" "$(tail -n 1 "$work/held")" ECONNREFUSED
like "nobody is there any more" "$(ss -lunH 'sport = :5051')" '^$'
is "another port goes on" "$(udp ask 198.18.7.2 5056 9)" 198.18.7.2
# shellcheck disable=SC2046
ctl remove-ports $(ctl list-ports --json | sed 's/.*"id":\([0-9]*\).*/\1/') >/dev/null
is "and no fd is left" "$(fds "$data_plane")" "$before"

# One transport does not stand in the other's way; the same port twice is refused with its owner.
ctl add-ports 5051:51/udp 5051:51/tcp >/dev/null
run ctl add-ports 127.0.0.1:5051:51/udp4
like "an address of a port of every address" "$err" "^error: conflict with ID [0-9]+: port 5051 of every address"
run ctl add-ports 0.0.0.0:5051:51/tcp4
like "the same for TCP" "$err" "^error: conflict with ID [0-9]+"
like "info names the protocols" "$(ctl info)" "tcp tcp4 tcp6 udp udp4 udp6"
stop_kit

# Few fds: the flow that was idle longest makes room.
state=$runtime/few
start_as_user sh -c "ulimit -n 64; exec rootlesskit --state-dir=$state --net=none --port-driver=builtin \
    -p 127.0.0.1:5051:51/udp sh -c '$servers'" >"$work/few.log" 2>&1
kit=$pid
ok "with 64 fds it starts" wait_for 30 answers 127.0.0.1 5051
udp many 127.0.0.1 5051 500 >/dev/null
ok "after 500 clients it still answers" answers 127.0.0.1 5051
stop_kit
done_testing
