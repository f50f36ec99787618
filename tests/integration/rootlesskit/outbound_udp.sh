#!/bin/bash
# Outbound UDP and ping of the gateway network, and the type of service of all three protocols: from the child
# through this machine's network, a router's and to another host's.
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
make_kit_user out

# this machine --198.18.1.0/24-- router --198.18.2.0/24-- another host
new_network() { # sets $pid
    unshare --net sleep 10000 &
    pid=$!
    wait_for 10 sh -c "[ \"\$(readlink /proc/$pid/ns/net)\" != \"\$(readlink /proc/self/ns/net)\" ]"
}
new_network
router=$pid
new_network
other=$pid
at_router() { nsenter -t "$router" -n "$@"; }
at_other() { nsenter -t "$other" -n "$@"; }
ip link add out0 type veth peer name out1 netns "$router" || skip_all "no veth interfaces here"
at_router ip link add out2 type veth peer name out3 netns "$other"
ip addr add 198.18.1.1/24 dev out0
at_router ip addr add 198.18.1.2/24 dev out1
at_router ip addr add 198.18.2.1/24 dev out2
at_other ip addr add 198.18.2.2/24 dev out3
at_other ip addr add 198.18.2.3/24 dev out3
at_router sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
ipv6=
if ip addr add fd00:1::1/64 dev out0 nodad 2>/dev/null; then
    ipv6=1
    at_router sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
    at_router ip addr add fd00:1::2/64 dev out1 nodad
    at_router ip addr add fd00:2::1/64 dev out2 nodad
    at_other ip addr add fd00:2::2/64 dev out3 nodad
    at_other ip addr add fd00:2::3/64 dev out3 nodad
fi
ip link set out0 up
for link in lo out1 out2; do at_router ip link set $link up; done
for link in lo out3; do at_other ip link set $link up; done
ip route add default via 198.18.1.2
at_other ip route add default via 198.18.2.1
[ -z "$ipv6" ] || { ip route add default via fd00:1::2; at_other ip route add default via fd00:2::1; }
# Routers say little when asked much.
quiet='echo 0 >/proc/sys/net/ipv4/icmp_ratelimit; [ ! -d /proc/sys/net/ipv6 ] || echo 0 >/proc/sys/net/ipv6/icmp/ratelimit'
sh -c "$quiet"
at_router sh -c "$quiet"
at_other sh -c "$quiet"
echo "0 2147483647" >/proc/sys/net/ipv4/ping_group_range


listening() { ss -lunH "sport = :$1" | grep -q .; }
addresses=198.18.2.2,198.18.2.3
six=fd00:2::2,fd00:2::3
at_other python3 "$work/outbound.py" serve "$addresses${ipv6:+,$six}" 7000 &
python3 "$work/outbound.py" serve "127.0.0.1${ipv6:+,::1}" 7001 &
wait_for 10 nsenter -t "$other" -n sh -c "ss -lunH 'sport = :7000' | grep -q ."
for address in 198.18.2.2 ${ipv6:+fd00:2::2}; do
    at_other python3 "$work/udp.py" marks "$address" 7002 &
    at_other python3 "$work/outbound.py" syns "$address" 7004 &
done
for address in 198.18.2.2 ${ipv6:+[fd00:2::2]}; do
    wait_for 10 nsenter -t "$other" -n sh -c "ss -ltnH 'src $address:7004' | grep -q ."
done
wait_for 10 listening 7001

start() { # OPTION...: an instance; inside runs a program in it as its user
    start_kit --net=gateway --copy-up=/etc "$@" sleep 1000
    enter=(nsenter -U -n -m --preserve-credentials -t "$(cat "$state/child_pid")")
}
inside() { as_user "${enter[@]}" timeout 60 "$@" 2>&1; }
peer() { inside python3 "$work/outbound.py" "$@"; }
marked() { inside python3 "$work/udp.py" marked "$1" 7002 "$2" "$3"; }
pinged() { inside ping -n -c 3 -i 0.2 -W 5 "$@" | sed -n 's/.* \([0-9]*\) received.*/\1/p'; }

both() { # REMOTE GATEWAY OTHER N SIZE: what both families do alike
    local remote=$1 gateway=$2
    is "$mtu, $remote: there and back" "$(peer ask "$remote" 7000 100)" same
    is "$mtu, $remote: an empty datagram" "$(peer ask "$remote" 7000 0)" same
    is "$mtu, $remote: the largest ones" "$(peer ask "$remote" 7000 "$5" 5)" same
    is "$mtu, $remote: one source port for all remotes" "$(peer same "$remote,$3" 7000)" same
    is "$mtu, $remote: who was never asked may answer" "$(peer unasked "$remote" 7000 "$4")" "$3"
    is "$mtu, $remote: both ways at once, nothing lost or twice" "$(peer talk "$remote" 7000 3000)" same
    is "$mtu, $remote: several in one stay several" "$(peer gso "$remote" 7000 1000 40)" "same joined"
    is "$mtu, $remote: the type of service and ECN go both ways" "$(marked "$remote" 184 104) $(marked "$remote" 1 2)" \
        "184 104 1 2"
    is "$mtu, $remote: none is none" "$(marked "$remote" 0 0)" "0 0"
    is "$mtu, $remote: a ping's type of service and ECN too" "$(peer ping "$remote" 184) $(peer ping "$remote" 1)" "184 1"
    is "$mtu, $gateway: also where the gateway answers" "$(peer ping "$gateway" 104)" 104
    is "$mtu, $remote: TCP's goes out" "$(peer dial "$remote" 7004 184) $(peer dial "$remote" 7004 0)" "184 0"
    is "$mtu, $remote: refused is refused" "$(peer error "$remote" 7999)" ECONNREFUSED
    is "$mtu, $gateway: the host's loopback" "$(peer ask "$gateway" 7001 100)" same
    is "$mtu, $gateway: refused there too" "$(peer error "$gateway" 7999)" ECONNREFUSED
    is "$mtu, $remote: ping" "$(pinged "$remote")" 3
    is "$mtu, $gateway: ping" "$(pinged "$gateway")" 3
    is "$mtu, ${gateway%2}3: ping" "$(pinged "${gateway%2}3")" 3
}
for mtu in 1500 65520; do
    start --mtu=$mtu
    both 198.18.2.2 10.0.2.2 198.18.2.3 1 65507
    if [ -n "$ipv6" ]; then both fd00:2::2 fd72:6b69:74::2 fd00:2::3 3 65527; else skip "$mtu: IPv6" "there is none here"; fi
    [ $mtu = 65520 ] || {
        is "ping in fragments" "$(pinged -s 4000 198.18.2.2)" 3
        is "the largest ping" "$(pinged -s 65507 198.18.2.2)" 3
        [ -z "$ipv6" ] || is "the same with IPv6" "$(pinged -s 65507 fd00:2::2)" 3
        stop_kit
    }
done

# What the way says.
hops() { # REMOTE GATEWAY ROUTER
    is "$1: one hop" "$(peer report "$1" 7000 1)" "EHOSTUNREACH $2"
    is "$1: two hops" "$(peer report "$1" 7000 2)" "EHOSTUNREACH $3"
    is "$1: three hops" "$(peer ask "$1" 7000 10)" same
    like "ping $1: one hop" "$(inside ping -n -c 1 -W 5 -t 1 "$1")" "From $2 .*(Time to live|Hop limit)"
    like "ping $1: two hops" "$(inside ping -n -c 1 -W 5 -t 2 "$1")" "From $3 .*(Time to live|Hop limit)"
}
hops 198.18.2.2 10.0.2.2 198.18.1.2
[ -z "$ipv6" ] || hops fd00:2::2 fd72:6b69:74::2 fd00:1::2
if command -v traceroute >/dev/null; then
    # shellcheck disable=SC2020
    is "traceroute sees every hop" "$(inside traceroute -n -q 1 198.18.2.2 | awk 'NR > 1 { print $2 }' | xargs)" \
        "10.0.2.2 198.18.1.2 198.18.2.2"
else
    skip "traceroute sees every hop" "it is not installed"
fi
at_router ip link set out2 mtu 1400
at_other ip link set out3 mtu 1400
paths() { # REMOTE
    if command -v tracepath >/dev/null; then
        like "tracepath $1: the path's MTU" "$(inside tracepath -n "$1")" "pmtu 1400 hops 3"
    else
        skip "tracepath $1: the path's MTU" "it is not installed"
    fi
    is "$1: datagrams longer than that arrive" "$(peer ask "$1" 7000 9000 20)" same
}
like "a ping that must not be cut is told why" "$(inside ping -n -c 1 -W 5 -M "do" -s 1450 198.18.2.3)" "From 198.18.1.2 .*mtu = 1400"
paths 198.18.2.2
[ -z "$ipv6" ] || paths fd00:2::2
at_router ip link set out2 mtu 1500
at_other ip link set out3 mtu 1500

ip route add unreachable 198.18.9.1
ip route add prohibit 198.18.9.2
is "unreachable on the host is told" "$(peer report 198.18.9.1 7 64)" "EHOSTUNREACH 10.0.2.2"
is "prohibited on the host is told" "$(peer report 198.18.9.2 7 64)" "EHOSTUNREACH 10.0.2.2"
like "and so it is to a ping" "$(inside ping -n -c 1 -W 5 198.18.9.1)" "From 10.0.2.2 .*Host Unreachable"
ip route del default
is "no route is told" "$(peer report 203.0.113.1 7 64)" "ENETUNREACH 10.0.2.2"
ip route add default via 198.18.1.2
like "silence is silence" "$(inside ping -n -c 1 -W 1 10.0.2.77)" "0 received"

# A socket that is gone: the remote hears it from the host's kernel.
at_other python3 "$work/outbound.py" knock 198.18.2.3 7100 >"$work/knock" &
knock=$!
told() { peer once 198.18.2.3 7100 && grep -q heard "$work/knock"; }
wait_for 20 told || true
wait "$knock" || true
is "a port that the child has closed is closed" "$(tail -n 1 "$work/knock")" ECONNREFUSED

# DNS is not theirs.
python3 "$work/dns.py" 127.0.0.111 192.0.2.111 &
wait_for 20 dig +short +time=1 +tries=1 @127.0.0.111 a.example
printf 'nameserver 127.0.0.111\n' >/etc/resolv.conf
resolves() { [ "$(inside dig +short +time=3 +tries=1 @10.0.2.3 a.example)" = 192.0.2.111 ]; }
ok "DNS beside it" wait_for 20 resolves

# Each of them binds a socket to the server's address while others send to it.
is "200 clients of one server at once, ten times" \
    "$(for _ in 1 2 3 4 5 6 7 8 9 10; do inside python3 "$work/udp.py" many 198.18.2.2 7000 200; done | sort | uniq -c | xargs)" "10 200"

echo "1 0" >/proc/sys/net/ipv4/ping_group_range
like "where the host forbids ping sockets, ping is told" "$(inside ping -n -c 1 -W 5 198.18.2.2)" "From 10.0.2.2 .*Packet filtered"
echo "0 2147483647" >/proc/sys/net/ipv4/ping_group_range
stop_kit

start --disable-host-loopback
is "the host's loopback only where it is allowed" "$(peer error 10.0.2.2 7001)" EHOSTUNREACH
is "the rest goes on" "$(peer ask 198.18.2.2 7000 100)" same
stop_kit

start_kit --net=gateway --detach-netns --copy-up=/etc --copy-up=/run sleep 1000
enter=(nsenter -U -m --preserve-credentials -t "$(cat "$state/child_pid")" nsenter "--net=$state/netns")
is "a detached namespace: ping" "$(pinged 198.18.2.2)" 3
is "a detached namespace: UDP" "$(peer ask 198.18.2.2 7000 100)" same
stop_kit

# A tunnel of the child's. Its far end sends to the port that is published.
start --port-driver=builtin -p 4789:4789/udp
if inside ip link add vx0 type vxlan id 42 remote 198.18.2.2 dstport 4789 nolearning >/dev/null; then
    at_other ip link add vx0 type vxlan id 42 remote 198.18.1.1 dstport 4789 nolearning
    inside ip addr add 10.99.0.1/24 dev vx0
    at_other ip addr add 10.99.0.2/24 dev vx0
    inside ip link set vx0 up
    at_other ip link set vx0 up
    is "VXLAN" "$(pinged 10.99.0.2)" 3
    is "VXLAN: a large ping" "$(pinged -s 30000 10.99.0.2)" 3
    at_other python3 "$work/outbound.py" plain out3
    at_other python3 "$work/tcp.py" sum 10.99.0.2 7003 &
    wait_for 10 nsenter -t "$other" -n sh -c "ss -ltnH 'sport = :7003' | grep -q ."
    is "VXLAN: TCP" "$(inside python3 "$work/tcp.py" send 10.99.0.2 7003 16)" same
else
    skip "VXLAN" "the kernel has none"
fi
stop_kit

# Few fds, more flows: those used longest ago make room, and nothing grows.
start_few() {
    state=$runtime/kit
    start_as_user sh -c "ulimit -n 1024; exec rootlesskit --state-dir=$state --net=gateway --copy-up=/etc sleep 1000" \
        >"$work/kit.log" 2>&1
    kit=$pid
    wait_for 10 test -e "$state/api.sock" || note "$(cat "$work/kit.log")"
    enter=(nsenter -U -n -m --preserve-credentials -t "$(cat "$state/child_pid")")
}
start_few
data_plane=$(plane)
memory() { awk '/^VmRSS/ { print $2 }' "/proc/$data_plane/status"; }
peer flood 198.18.2.2 7000 3000 >/dev/null
pings=$(peer pings 198.18.2.2 200)
is "200 pings of 200 ids" "$pings" 200
fds_before=$(fds "$data_plane") memory_before=$(memory)
ok "half of the fds are left to connections" test "$fds_before" -le 600
peer flood 198.18.2.2 7000 5000 >/dev/null
peer pings 198.18.2.2 200 >/dev/null
# Give or take what the maker of sockets has in stock.
ok "a second flood takes no more fds" test "$(fds "$data_plane")" -le $((fds_before + 64))
ok "and no more memory" test "$(memory)" -le $((memory_before + 4096))
is "after it: UDP" "$(peer ask 198.18.2.2 7000 100)" same
is "after it: ping" "$(pinged 198.18.2.2)" 3
python3 "$work/tcp.py" hello 127.0.0.1 7002 &
wait_for 10 sh -c "ss -ltnH 'sport = :7002' | grep -q ."
is "after it: TCP" "$(inside python3 "$work/tcp.py" first 10.0.2.2 7002)" hello
stop_kit
done_testing
