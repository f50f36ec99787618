#!/bin/bash
# rootlessctl flows, metrics and top: what is relayed, in numbers that are right.
set -eu
# shellcheck disable=SC2034 # for lib.sh
own_network=1
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# Debian's Python finds Debian's modules, whatever comes first on PATH.
parser=/usr/bin/python3
"$parser" -c 'import prometheus_client.openmetrics.parser' 2>/dev/null || skip_all "no python3-prometheus-client"
use_programs
install -m 644 "$(dirname "$0")"/*.py "$work/"
ulimit -n "$(ulimit -Hn)"
make_kit_user observe
ip link add rltest0 type veth peer name rltest1
ip addr add 198.18.7.1/24 dev rltest0
ip link set rltest0 up
ip link set rltest1 up
ip neigh add 198.18.7.9 lladdr 02:00:00:00:00:01 dev rltest0 nud permanent
ip route add unreachable 198.18.8.1/32
ip route add prohibit 198.18.8.2/32

listening() { ss -Hln "sport = :$1" | grep -q .; }
serve() { # MODE ADDRESS PORT
    python3 "$work/tcp.py" "$@" &
    wait_for 10 listening "$3"
}
flows() { ctl flows --json | python3 "$work/observe.py" flows "$@"; }
metric() { ctl metrics | "$parser" "$work/observe.py" metrics "$@"; }
has_flows() { [ "$(flows "${@:2}" | wc -l)" = "$1" ]; }
held() { grep -q held "$work/$1"; }
# hold NAME N COMMAND...: COMMAND gets a stdin that release NAME closes
hold() {
    local name=$1 fd
    mkfifo "$work/$name.in"
    "${@:2}" <"$work/$name.in" >"$work/$name" 2>&1 &
    exec {fd}>"$work/$name.in"
    holding[$name]=$fd
    wait_for 30 held "$name" || note "$(cat "$work/$name")"
}
declare -A holding
release() {
    local fd=${holding[$1]}
    exec {fd}>&-
}

start_kit --net=none sleep 1000
run ctl flows
like "without a gateway and the builtin driver: refused" "$rc $err" "^1 error: nothing is relayed here"
run ctl metrics
like "and so are metrics" "$rc $err" "^1 error: nothing is relayed here"
run ctl top --count=1
like "and top" "$rc $err" "^1 error: nothing is relayed here"
stop_kit

serve echo 127.0.0.1 5000
serve sum 198.18.7.1 5001
start_kit --net=gateway --port-driver=builtin --copy-up=/etc sh -c \
    "cd $work; python3 tcp.py echo 10.0.2.100 80 & python3 udp.py echo 10.0.2.100 51 & wait"
ctl add-ports 127.0.0.1:8080:10.0.2.100:80/tcp 127.0.0.1:5051:10.0.2.100:51/udp >/dev/null
enter=(nsenter -U -n --preserve-credentials -t "$(cat "$state/child_pid")")
inside() { as_user "${enter[@]}" "$@"; }
serves_inside() { [ "$(inside ss -Hln 'sport = :80 or sport = :51' | wc -l)" = 2 ]; }
wait_for 30 serves_inside

run ctl flows
is "nothing is relayed: a head alone" "$(wc -l <<<"$out") ${out%% *}" "1 PROTO"
is "and no JSON" "$(ctl flows --json)" ""
is "OpenMetrics that Prometheus's parser takes" "$(metric)" 16
is "published ports" "$(metric rootlesskit_published_ports)" 2
is "no flow" "$(metric rootlesskit_flows)" 0

# The parent without room for the file that is to be written: this question fails, the server stays.
server() { pgrep -u "$user" -f '^[^ ]*rootlesskit-api '; }
limit=$(as_user prlimit --pid "$kit" --nofile --noheadings --output SOFT)
free=0
while [ -e "/proc/$kit/fd/$free" ]; do free=$((free + 1)); done
before=$(server)
as_user prlimit --pid "$kit" --nofile="$free:"
run ctl flows
as_user prlimit --pid "$kit" --nofile="$limit:"
like "no file descriptor is left for the answer" "$rc $err" "^1 error: rootlesskit has no file descriptor left.*LimitNOFILE"
is "and the next one is answered" "$(metric rootlesskit_flows)" 0
is "by the same server" "$(server)" "$before"

hold outbound inside python3 "$work/observe.py" hold 10.0.2.2 5000 3
one='{"proto":"tcp","direction":"outbound","state":"open","childIP":"10.0.2.100","remoteIP":"10.0.2.2","remotePort":5000,"dialledIP":"127.0.0.1","dialledPort":5000,"sentBytes":1,"receivedBytes":1}'
is "outbound: who, where to, where to really, and how much" "$(flows)" "$one"$'\n'"$one"$'\n'"$one"
hold published python3 "$work/observe.py" hold 127.0.0.1 8080 2
one='{"proto":"tcp","direction":"published","state":"open","portID":1,"childIP":"10.0.2.100","childPort":80,"remoteIP":"127.0.0.1","sentBytes":1,"receivedBytes":1}'
is "published: its port, its client, its service" "$(flows portID=1)" "$one"$'\n'"$one"
python3 "$work/udp.py" ask 127.0.0.1 5051 100 >/dev/null
is "published UDP" "$(flows proto=udp)" '{"proto":"udp","direction":"published","state":"open","portID":2,"childIP":"10.0.2.100","childPort":51,"remoteIP":"127.0.0.1","sentBytes":100,"receivedBytes":100}'
is "metrics: flows now" "$(metric rootlesskit_flows proto=tcp direction=outbound) $(metric rootlesskit_flows proto=tcp direction=published) $(metric rootlesskit_flows proto=udp)" "3 2 1"
run ctl flows
is "the table has them all" "$(wc -l <<<"$out") $(awk '{print NF}' <<<"$out" | sort -u)" "7 11"
as_user timeout -s KILL 20 rootlessctl --socket "$state/api.sock" top --count=2 --interval=1 >"$work/top"
is "top, no terminal: a table a time" "$(grep -c '^6 flows (5 TCP, 1 UDP), ' "$work/top") $(grep -c . "$work/top")" "2 16"

# A terminal of 40 columns and 5 rows, then of 28 columns.
cat >"$work/steps" <<'END'
size 5 40
await ready
send \n
await (?s)\x1b\[\?1049h.*6 flows \(5 TCP, 1 UDP\), [^\x1b\r]{16}\x1b\[K\r\n.*[^\x1b\r\n]{40}\x1b\[K\x1b\[J
size 5 28
await (?s)\x1b\[H6 flows \(5 TCP, 1 UDP\), 0B/s\x1b\[K
send KEY
await \x1b\[\?25h\x1b\[\?1049l
await same
END
# shellcheck disable=SC2016 # for the shell inside
on_terminal='echo ready; read -r _; before=$(stty -g)
    rootlessctl --socket "$1" top --interval=1; echo "status $?"; [ "$(stty -g)" = "$before" ] && echo same'
for key in q '\x03'; do
    sed "s/KEY/${key//\\/\\\\}/" "$work/steps" >"$work/steps.now"
    run as_user python3 "$work/terminal.py" "$work/steps.now" bash -c "trap : INT; $on_terminal" top "$state/api.sock"
    is "top on a terminal: cut to its size, follows it, $key ends it as it was" \
        "$rc $(grep -o 'status .*' <<<"$out")" "0 status 0"
    [ "$rc" = 0 ] || note "$(cat -v <<<"$out")"
done
release outbound
release published
ok "closed: no TCP connection is left" wait_for 10 has_flows 0 proto=tcp
is "metrics: none now, as many so far" "$(metric rootlesskit_flows proto=tcp) $(metric rootlesskit_flows_opened_total proto=tcp)" "0 5"

sent=$(metric rootlesskit_traffic_bytes_total proto=tcp direction=outbound way=sent)
received=$(metric rootlesskit_traffic_bytes_total proto=tcp direction=outbound way=received)
is "64 MiB are sent" "$(inside python3 "$work/tcp.py" send 198.18.7.1 5001 64)" same
is "metrics: to the byte" \
    "$(($(metric rootlesskit_traffic_bytes_total proto=tcp direction=outbound way=sent) - sent)) $(($(metric rootlesskit_traffic_bytes_total proto=tcp direction=outbound way=received) - received))" \
    "$((64 << 20)) 64"
is "metrics: UDP's, too" "$(metric rootlesskit_traffic_bytes_total proto=udp)" 200

# failed REASON DIRECTION ADDRESS PORT: one more connection that comes to nothing for this reason
failed() {
    local before
    before=$(metric rootlesskit_connections_failed_total "direction=$2" "reason=$1")
    if [ "$2" = outbound ]; then
        inside python3 "$work/tcp.py" first "$3" "$4" >/dev/null
    else
        python3 "$work/tcp.py" first "$3" "$4" >/dev/null
    fi
    is "failed, $2: $1" "$(($(metric rootlesskit_connections_failed_total "direction=$2" "reason=$1") - before))" 1
}
failed refused outbound 198.18.7.1 5009
failed unreachable outbound 198.18.8.1 80
failed prohibited outbound 198.18.8.2 80
ctl add-ports 127.0.0.1:8081:10.0.2.100:81/tcp 127.0.0.1:5052:10.0.2.100:52/udp >/dev/null
failed refused published 127.0.0.1 8081
python3 "$work/udp.py" ask 127.0.0.1 5052 100 >/dev/null
dropped() { [ "$(metric rootlesskit_datagrams_dropped_total direction=published reason=refused)" = 1 ]; }
ok "a datagram that nobody took" wait_for 30 dropped

inside timeout -s KILL 60 python3 "$work/tcp.py" first 198.18.7.9 80 >/dev/null 2>&1 &
ok "a connection that nobody answers is held" wait_for 10 has_flows 1 state=held
is "with its addresses" "$(flows state=held)" '{"proto":"tcp","direction":"outbound","state":"held","childIP":"10.0.2.100","remoteIP":"198.18.7.9","remotePort":80,"sentBytes":0,"receivedBytes":0}'
is "metrics: held" "$(metric rootlesskit_held_syns)" 1

python3 "$work/udp.py" echo 198.18.7.1 5020 &
python3 "$work/udp.py" echo 127.0.0.1 5020 &
python3 "$work/udp.py" echo ::1 5020 &
bound() { [ "$(ss -Hlun 'sport = :5020' | wc -l)" = 3 ]; }
wait_for 30 bound
is "outbound UDP answers" "$(inside python3 "$work/udp.py" ask 198.18.7.1,10.0.2.2 5020 300 | xargs)" "198.18.7.1 10.0.2.2"
is "a mapping and a pair each" "$(flows proto=udp direction=outbound | sort)" '{"proto":"udp","direction":"outbound","state":"mapped","childIP":"10.0.2.100","sentBytes":0,"receivedBytes":0}
{"proto":"udp","direction":"outbound","state":"mapped","childIP":"10.0.2.100","sentBytes":0,"receivedBytes":0}
{"proto":"udp","direction":"outbound","state":"open","childIP":"10.0.2.100","remoteIP":"10.0.2.2","remotePort":5020,"dialledIP":"127.0.0.1","dialledPort":5020,"sentBytes":300,"receivedBytes":300}
{"proto":"udp","direction":"outbound","state":"open","childIP":"10.0.2.100","remoteIP":"198.18.7.1","remotePort":5020,"sentBytes":300,"receivedBytes":300}'
is "metrics: both" "$(metric rootlesskit_udp_mappings) $(metric rootlesskit_flows proto=udp direction=outbound) $(metric rootlesskit_traffic_bytes_total proto=udp direction=outbound)" "2 2 1200"
if inside ip -6 addr show dev tap0 | grep -q fd72:6b69:74::100; then
    inside python3 "$work/udp.py" ask fd72:6b69:74::2 5020 50 >/dev/null
    is "IPv6" "$(flows childIP=fd72:6b69:74::100 state=open)" '{"proto":"udp","direction":"outbound","state":"open","childIP":"fd72:6b69:74::100","remoteIP":"fd72:6b69:74::2","remotePort":5020,"dialledIP":"::1","dialledPort":5020,"sentBytes":50,"receivedBytes":50}'
else
    skip "IPv6" "the child has none"
fi
echo "0 2147483647" >/proc/sys/net/ipv4/ping_group_range
inside ping -q -c 3 -i 0.2 -s 100 -e 77 198.18.7.1 >/dev/null
is "a ping" "$(ctl flows --json | grep -o '"proto":"icmp".*"ageSeconds"')" \
    '"proto":"icmp","direction":"outbound","state":"open","childIP":"10.0.2.100","childPort":77,"remoteIP":"198.18.7.1","sentBytes":300,"receivedBytes":300,"ageSeconds"'
like "in the table" "$(ctl flows)" $'\n''icmp .* 10.0.2.100:77 +198.18.7.1 .* 300B +300B '
like "top counts it" "$(as_user rootlessctl --socket "$state/api.sock" top --count=1)" ", 1 ICMP\),"
is "metrics: it" "$(metric rootlesskit_flows proto=icmp) $(metric rootlesskit_traffic_bytes_total proto=icmp)" "1 600"
before=$(metric rootlesskit_datagrams_dropped_total direction=outbound reason=prohibited)
inside ping -q -c 1 -W 3 198.18.8.2 >/dev/null || true
is "an echo request that the host prohibits" "$(($(metric rootlesskit_datagrams_dropped_total direction=outbound reason=prohibited) - before))" 1
before=$(metric rootlesskit_datagrams_dropped_total direction=outbound reason=prohibited)
inside python3 "$work/udp.py" ask 198.18.8.2 80 10 >/dev/null
is "a datagram that the host prohibits" "$(($(metric rootlesskit_datagrams_dropped_total direction=outbound reason=prohibited) - before))" 1

: >/etc/resolv.conf
asks() { inside dig +time=3 +tries=1 @10.0.2.3 a.example | grep -q SERVFAIL; }
ok "DNS without a resolver fails" wait_for 30 asks
is "metrics: DNS" "$(metric rootlesskit_dns_failures_total)" "$(metric rootlesskit_dns_queries_total)"

fds=$(metric rootlesskit_dataplane_open_fds)
serve echo 198.18.7.1 5003
hold thousands inside sh -c "ulimit -n 10000; exec python3 $work/observe.py hold 198.18.7.1 5003 3000"
is "3000 connections: each is listed" "$(flows remotePort=5003 | wc -l)" 3000
is "metrics: open" "$(metric rootlesskit_flows proto=tcp)" 3000
more=$(($(metric rootlesskit_dataplane_open_fds) - fds))
ok "metrics: two fds each, and few besides" [ "$more" -ge 6000 ] && [ "$more" -lt 6100 ]
ok "metrics: within their limit" [ "$(metric rootlesskit_dataplane_open_fds)" -lt "$(metric rootlesskit_dataplane_max_fds)" ]
ok "metrics: memory" [ "$(metric rootlesskit_dataplane_resident_memory_bytes)" -gt 1000000 ]
as_user timeout -s KILL 20 rootlessctl --socket "$state/api.sock" top --count=1 >"$work/top"
is "top has them all" "$(grep -c 198.18.7.1:5003 "$work/top")" 3000
ok "and connections are still made" test "$(inside python3 "$work/tcp.py" send 198.18.7.1 5001 1)" = same
release thousands
ok "closed: none is left" wait_for 20 has_flows 0 remotePort=5003
start_as_user rootlessctl --socket "$state/api.sock" top --interval=1 >"$work/top" 2>"$work/top.err"
wait_for 10 test -s "$work/top"
stop_kit
run wait "$pid"
like "top ends with rootlesskit, and says why" "$rc $(cat "$work/top.err")" "^1 error: (cannot reach rootlesskit|rootlesskit is ending)"
done_testing
