#!/bin/bash
# Published UDP ports: the service sees the client's address.
set -eu
# shellcheck disable=SC2034 # for lib.sh
own_network=1
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
use_programs
install -m 644 "$(dirname "$0")"/*.py "$work/"
make_kit_user source
unshare --net sleep infinity &
far=$!
sleeps() { [ "$(cat "/proc/$1/comm")" = sleep ]; } # and so is in its namespace
remote() { nsenter -t "$far" -n python3 "$work/udp.py" "$@"; }
here() { python3 "$work/udp.py" "$@"; }
serve() { # MODE ADDRESS PORT: in the child; server is its process id
    nsenter -t "$(cat "$state/child_pid")" -n python3 "$work/udp.py" "$@" &
    server=$!
}
end_server() {
    kill "$server"
    wait "$server" || true
}
in_child() { nsenter -t "$(cat "$state/child_pid")" -n "$@"; }
ip link add here0 type veth peer name far0 || skip_all "no veth interfaces"
wait_for 10 sleeps "$far" || true
ip link set far0 netns "$far"
ip addr add 198.18.9.1/24 dev here0
ip addr add 198.18.9.2/24 dev here0
ip link set here0 up
nsenter -t "$far" -n sh -c "ip link set lo up; ip link set far0 up; ip addr add 198.18.9.7/24 dev far0; ip addr add 10.0.2.100/32 dev far0"
ip route add 10.0.2.100/32 dev here0
ipv6=
if ip -6 addr add fd00:9::1/64 dev here0 nodad 2>/dev/null &&
    nsenter -t "$far" -n ip -6 addr add fd00:9::7/64 dev far0 nodad; then ipv6=1; fi

# In the child, each tells the client: 81 of every address, 82 of every one of IPv6, 83 of the loopback,
# [::1]:83. 85 echoes, and [::]:86.
# shellcheck disable=SC2016
servers='cd '"$work"'; python3 udp.py where 0.0.0.0 81 & python3 udp.py where 127.0.0.1 83 & python3 udp.py echo 0.0.0.0 85 &
python3 udp.py where ::1 83 & python3 udp.py echo :: 86 & python3 -c "
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.setsockopt(41, socket.IPV6_V6ONLY, 1); s.bind((\"::\", 82))
while True:
    peer = s.recvfrom(9)[1]; s.sendto(b\"%s %d\" % (peer[0].encode(), peer[1]), peer)" & wait'
ports=(-p 8081:81/udp -p 8083:83/udp -p 8085:85/udp)
[ -z "$ipv6" ] || ports+=(-p '[::]:8182:[::1]:82/udp6' -p '[::]:8183:[::1]:83/udp6' -p '8184:[::1]:83/udp' -p '[::]:8186:[::1]:86/udp6')
serves() { here from 127.0.0.1 8081 127.0.0.1 0 | grep -q 127.0.0.1 && here from 127.0.0.1 8083 127.0.0.1 0 | grep -q 127.0.0.1; }
start() { # OPTION...
    start_kit --port-driver=builtin --copy-up=/etc "${ports[@]}" "$@" sh -c "$servers"
    wait_for 30 serves || note "$(cat "$work/kit.log")"
}
# sees NAME WANT PORT [FROM [TO [PORT]]]: what the service tells a remote client
sees() { is "$1" "$(remote from "${5:-198.18.9.1}" "$3" "${4:-198.18.9.7}" "${6:-40000}")" "$2"; }
address_of() { sed 's/ .*//'; }

for net in slirp4netns gateway; do
    if [ $net = slirp4netns ] && ! command -v slirp4netns >/dev/null; then
        skip "slirp4netns" "it is not installed"
        continue
    fi
    start --net=$net
    sees "$net: a service of every address" "198.18.9.7 40000" 8081
    sees "$net: again" "198.18.9.7 40000" 8081
    sees "$net: a service of the loopback" "198.18.9.7 40000" 8083
    is "$net: a client on this host's address" "$(here from 198.18.9.1 8081 198.18.9.1 40001)" "198.18.9.1 40001"
    is "$net: the loopback's stays" "$(here from 127.0.0.1 8081 127.0.0.1 40001 | address_of)" 127.0.0.1
    ctl add-ports 198.18.9.1:8086:10.0.2.100:81/udp >/dev/null
    sees "$net: to the namespace's address" "198.18.9.7 40006" 8086 198.18.9.7 198.18.9.1 40006
    is "$net: an address that the namespace has itself is not borrowed" \
        "$(remote from 198.18.9.1 8081 10.0.2.100 40000 | address_of)" 127.0.0.1
    if [ -n "$ipv6" ]; then
        is "$net: IPv6 of the loopback, another family's client" "$(remote from 198.18.9.1 8184 198.18.9.7 40000 | address_of)" ::1
        is "$net: IPv6 loopback" "$(here from ::1 8183 ::1 40000 | address_of)" ::1
    fi
    [ $net = gateway ] || stop_kit
done
if [ -n "$ipv6" ]; then
    sees "IPv6: a service of every address" "fd00:9::7 40000" 8182 fd00:9::7 fd00:9::1
    sees "IPv6: again" "fd00:9::7 40000" 8182 fd00:9::7 fd00:9::1
    sees "IPv6: a service of the loopback" "fd00:9::7 40000" 8183 fd00:9::7 fd00:9::1
else
    skip "IPv6" "there is none here"
fi

is "three services asked from one port" "$(remote from 198.18.9.1 8081 198.18.9.7 40002 8083 8081 | xargs)" \
    "198.18.9.7 40002 198.18.9.7 40002 198.18.9.7 40002"
ctl add-ports 198.18.9.1:8087:81/udp >/dev/null
like "one service asked by two ports from one: two clients to it" \
    "$(remote from 198.18.9.1 8081 198.18.9.7 40003 8087 | xargs)" "^198.18.9.7 40003 198.18.9.7 [0-9]+$"
is "each answered apart" \
    "$(remote from 198.18.9.1 8081 198.18.9.7 40003 8087 8081 8087 | sort | uniq -c | awk '{print $1}' | xargs)" "2 2"
like "the port of a service is not taken" "$(remote from 198.18.9.1 8083 198.18.9.7 81)" "^198.18.9.7 [0-9]{4,}$"
like "nor a privileged one" "$(remote from 198.18.9.1 8083 198.18.9.7 123)" "^198.18.9.7 [0-9]{4,}$"
is "200 clients at once" "$(remote many 198.18.9.1 8085 200)" 200
is "the largest datagram" "$(remote ask 198.18.9.1 8085 65507)" 198.18.9.1
is "bursts of equal ones" "$(remote burst 198.18.9.1 8085 6400 1400)" 6400
is "bursts of large ones" "$(remote burst 198.18.9.1 8085 640 8000)" 640
is "every length" "$(remote mixed 198.18.9.1 8085 300)" same

# A service that connects its socket to whom it serves, as iperf3 does.
serve join 0.0.0.0 88
ctl add-ports 198.18.9.1:8088:88/udp >/dev/null
bound() { in_child ss -lunH "sport = :$1" | grep -q .; }
wait_for 20 bound 88 || true
is "a service that connects its socket" "$(remote times 198.18.9.1 8088 10)" "198.18.9.7 10"
end_server

# It ends and comes back; the client's socket and flow stay.
ctl add-ports 198.18.9.1:8089:89/udp >/dev/null
nsenter -t "$far" -n python3 "$work/udp.py" follow 198.18.9.1 8089 >"$work/follow" &
client=$!
lines() { [ "$(wc -l <"$work/follow")" -ge "$1" ]; }
serve who 0.0.0.0 89
ok "a service begins" wait_for 20 lines 1
end_server
serve where 0.0.0.0 89
ok "another in its place" wait_for 20 lines 2
end_server
serve who 127.0.0.1 89
ok "one of the loopback only" wait_for 20 lines 3
end_server
kill "$client"
is "all see the same client" "$(awk '{print $1}' "$work/follow" | sort -u)" 198.18.9.7
is "from one port" "$(awk 'NF == 2 {print $2}' "$work/follow" | sort -u | wc -l)" 1
is "nobody listens: silence" "$(remote from 198.18.9.1 8089 198.18.9.7 40004)" silence

# More flows than the rules have room for: those that are new are served plainly.
if in_child nft list ruleset >/dev/null 2>&1; then
    for ((n = 32768; n > 0; n /= 2)); do # all of them, or none when there is no room for so many
        python3 -c "
print('add element ip rootlesskit asked {', ','.join(f'192.0.2.{i % 256} . {$n + i // 256} . 9 : 127.0.0.1' for i in range($n)), '}')" >"$work/full"
        in_child nft -f "$work/full" 2>/dev/null || true
    done
    is "a full table: served plainly" "$(remote from 198.18.9.1 8081 198.18.9.7 40020 | address_of)" 127.0.0.1
    is "one that was there before goes on" "$(remote from 198.18.9.1 8083 198.18.9.7 40000)" "198.18.9.7 40000"
    in_child nft flush map ip rootlesskit asked
else
    skip "a full table" "there is no nft"
fi

# A container: DNAT in the child's OUTPUT, as Docker does without its proxy.
if in_child nft list ruleset >/dev/null 2>&1; then
    nsenter -t "$(cat "$state/child_pid")" -n unshare --net sleep infinity &
    box=$!
    wait_for 10 sleeps "$box" || true
    in_child ip link add docker0 type bridge
    in_child ip addr add 172.17.0.1/16 dev docker0
    in_child ip link set docker0 up
    in_child ip link add v0 type veth peer name eth0 netns "$box"
    in_child ip link set v0 master docker0 up
    nsenter -t "$box" -n sh -c "ip link set lo up
        ip addr add 172.17.0.2/16 dev eth0; ip link set eth0 up; ip route add default via 172.17.0.1"
    nsenter -t "$box" -n python3 "$work/udp.py" where 0.0.0.0 80 &
    in_child nft -f - <<'NFT'
table ip docker {
    chain output {
        type nat hook output priority -100
        ip daddr 127.0.0.1 udp dport 8090 dnat to 172.17.0.2:80
        ip daddr 10.0.2.100 udp dport 8091 dnat to 172.17.0.2:80
    }
}
NFT
    ctl add-ports 198.18.9.1:8090:8090/udp 198.18.9.1:8091:10.0.2.100:8091/udp >/dev/null
    container() { remote from 198.18.9.1 8090 198.18.9.7 40005 | grep -v silence; }
    wait_for 30 container || true
    is "a container sees it" "$(container)" "198.18.9.7 40005"
    sees "by the namespace's address too" "198.18.9.7 40000" 8091
    # shellcheck disable=SC2046
    ctl remove-ports $(ctl list-ports --json | sed 's/.*"id":\([0-9]*\).*/\1/') >/dev/null
    is "no socket is left" "$(in_child ss -uanH state established | grep -c 198.18.9)" 0
    kill "$box"
else
    skip "a container" "there is no nft"
fi
stop_kit

# What is longer than the MTU of the route that answers seem to take.
start --net=gateway --mtu=1500
is "a small MTU: the largest datagram" "$(remote ask 198.18.9.1 8085 65507)" 198.18.9.1
is "a small MTU: every length" "$(remote mixed 198.18.9.1 8085 300)" same
is "a small MTU: bursts" "$(remote burst 198.18.9.1 8085 640 4000)" 640
is "a small MTU: bursts of a frame" "$(remote burst 198.18.9.1 8085 6400 1400)" 6400
if [ -n "$ipv6" ]; then
    is "a small MTU: IPv6" "$(remote ask fd00:9::1 8186 20000)" fd00:9::1
    is "a small MTU: bursts of IPv6" "$(remote burst fd00:9::1 8186 640 4000)" 640
    is "a small MTU: every length of IPv6" "$(remote mixed fd00:9::1 8186 300)" same
fi
stop_kit

start --net=none
is "without a route to the client its address is not kept" \
    "$(remote from 198.18.9.1 8081 198.18.9.7 40000 | address_of)" 127.0.0.1
stop_kit

start --net=gateway --source-ip-transparent=false
is "not with --source-ip-transparent=false" "$(remote from 198.18.9.1 8081 198.18.9.7 40000 | address_of)" 127.0.0.1
stop_kit

if command -v iptables ip6tables >/dev/null; then
    start --net=gateway --source-ip-transparent-backend=iptables
    is "iptables: a service by the loopback sees that" "$(remote from 198.18.9.1 8081 198.18.9.7 40000 | address_of)" 127.0.0.1
    ctl add-ports 198.18.9.1:8086:10.0.2.100:81/udp >/dev/null
    sees "iptables: by the namespace's address the client's" "198.18.9.7 40006" 8086 198.18.9.7 198.18.9.1 40006
    stop_kit
else
    skip "iptables" "it is not installed"
fi
done_testing
