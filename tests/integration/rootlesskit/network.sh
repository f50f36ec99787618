#!/bin/bash
# Outbound: every driver's network, and in depth the gateway's TCP and DNS.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
use_programs
install -m 644 "$(dirname "$0")"/*.py "$work/"
ulimit -n "$(ulimit -Hn)"
make_kit_user net

listen() { # MODE: serves it on the host's loopback, in $port
    port=$(free_port)
    python3 "$work/tcp.py" "$1" "${2:-127.0.0.1}" "$port" &
    wait_for 10 sh -c "ss -ltnH 'sport = :$port' | grep -q ."
}
kit() { as_user rootlesskit --net=gateway "$@"; }
# KIND PORT: what a client inside gets from the host's loopback
inside() { kit "${@:3}" python3 "$work/tcp.py" "$1" 10.0.2.2 "$2"; }

run as_user rootlesskit --net=none ip -br addr show
like "none: a loopback" "$out" "lo .*127.0.0.1/8"
unlike "none: and nothing else" "$out" "tap0|eth0"
run as_user rootlesskit ip -br addr show
is "host: the host's interfaces" "$out" "$(ip -br addr show)"

listen hello
hello=$port
for driver in slirp4netns gateway; do
    if [ $driver = slirp4netns ] && ! command -v slirp4netns >/dev/null; then
        skip "slirp4netns" "it is not installed"
        continue
    fi
    run as_user rootlesskit --net=$driver --mtu=1500 --ifname=net7 --cidr=10.7.8.0/24 ip -br addr show net7
    like "$driver: address and name as asked" "$out" "^net7.* 10.7.8.100/24"
    run as_user rootlesskit --net=$driver --mtu=1400 cat /sys/class/net/tap0/mtu
    is "$driver: MTU as asked" "$out" 1400
    run as_user rootlesskit --net=$driver python3 "$work/tcp.py" first 10.0.2.2 "$hello"
    is "$driver: the host's loopback is the gateway's address" "$out" hello
    run as_user rootlesskit --net=$driver --disable-host-loopback python3 "$work/tcp.py" first 10.0.2.2 "$hello"
    unlike "$driver: not with --disable-host-loopback" "$out" hello
    run as_user rootlesskit --net=$driver ip route show default
    like "$driver: default route" "$out" "via 10.0.2.2"
done

# An address of the host's that is not its loopback.
ip link add rltest0 type veth peer name rltest1 2>/dev/null && at_end ip link del rltest0
if ip addr add 198.18.7.1/32 dev rltest0 && ip link set rltest0 up && ip link set rltest1 up; then
    listen hello 198.18.7.1
    run kit python3 "$work/tcp.py" first 198.18.7.1 "$port"
    is "an address of the host's" "$out" hello
    ip route add prohibit 198.18.7.2/32
    ip route add unreachable 198.18.7.3/32
    ip route add blackhole 198.18.7.4/32
    ip route add 198.18.8.1/32 dev rltest0
    ip neigh add 198.18.8.1 lladdr 02:00:00:00:00:01 dev rltest0 nud permanent
    at_end ip route del prohibit 198.18.7.2/32
    at_end ip route del unreachable 198.18.7.3/32
    at_end ip route del blackhole 198.18.7.4/32
    run kit python3 "$work/tcp.py" first 198.18.7.2 80
    is "prohibited on the host is told" "$out" EHOSTUNREACH
    run kit python3 "$work/tcp.py" first 198.18.7.3 80
    is "unreachable on the host is told" "$out" EHOSTUNREACH
    # More connects into a black hole than there are places: the next one that works still does.
    # shellcheck disable=SC2016
    run kit sh -c 'ulimit -n 10000; python3 '"$work"'/tcp.py storm 198.18.8.1 80 5000; sleep 1
        python3 '"$work"'/tcp.py first 10.0.2.2 '"$hello"
    is "a black hole does not block the rest" "$out" hello
else
    skip "an address of the host's" "no veth interface on the host"
fi
run inside first "$(free_port)"
is "refused is refused" "$out" ECONNREFUSED
run kit python3 "$work/tcp.py" first 127.0.0.1 "$hello"
is "127.0.0.1 is the child's own" "$out" ECONNREFUSED
run kit python3 "$work/tcp.py" first 0.0.0.0 "$hello"
is "and so is 0.0.0.0" "$out" ECONNREFUSED
run kit python3 "$work/tcp.py" first 10.0.2.9 80
is "nobody at another address of the network" "$out" EHOSTUNREACH
listen rst
run inside first "$port"
is "a reset is a reset" "$out" ECONNRESET

listen sum
for mtu in 65520 1500; do
    run kit --mtu=$mtu python3 "$work/tcp.py" send 10.0.2.2 "$port" 64
    is "64 MiB, half-closed, sum comes back (MTU $mtu)" "$out" same
done
listen echo
run kit python3 "$work/tcp.py" many 10.0.2.2 "$port" 2000
is "2000 connections at once" "$out" 2000
run kit python3 "$work/tcp.py" short 10.0.2.2 "$hello" 500
is "500 short ones in a row" "$out" 500
# Each but the first finds its addresses in TIME_WAIT.
run kit python3 "$work/tcp.py" reuse 10.0.2.2 "$hello" 5
is "a connection's addresses can be used again at once" "$out" 5
# SCTP's number, by a raw socket: few kernels have SCTP itself.
run kit python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 132)
s.settimeout(5)
s.connect(("198.18.7.9", 0))
s.send(bytes(12))
s.recv(1)'
like "what is not forwarded is said at once" "$out$err" "Protocol not available"

# DNS, as the host has it now.
cp /etc/resolv.conf "$work/resolv.conf" 2>/dev/null || true
python3 "$work/dns.py" 127.0.0.111 192.0.2.111 &
python3 "$work/dns.py" 127.0.0.112 192.0.2.112 &
wait_for 20 dig +short +time=1 +tries=1 @127.0.0.112 a.example
printf 'nameserver 127.0.0.111\n' >/etc/resolv.conf
ask="dig +short +time=3 +tries=1"
run kit --copy-up=/etc sh -c "$ask a.example; $ask +tcp a.example"
is "DNS over UDP and TCP, from a resolver on the host's loopback" "$out" $'192.0.2.111\n192.0.2.111'
run kit --copy-up=/etc getent hosts some.example
like "libc resolves" "$out" "192.0.2.111 +some.example"
start_kit --net=gateway --copy-up=/etc sleep 1000
enter=(nsenter -U -n -m --preserve-credentials -t "$(cat "$state/child_pid")")
printf 'nameserver 127.0.0.112\n' >/etc/resolv.conf.new
mv /etc/resolv.conf.new /etc/resolv.conf
# shellcheck disable=SC2086 # words
now() { [ "$(as_user "${enter[@]}" $ask a.example)" = "$1" ]; }
ok "a change of the host's resolv.conf is followed" wait_for 20 now 192.0.2.112
printf 'nameserver 127.0.0.113\nnameserver 127.0.0.111\n' >/etc/resolv.conf
ok "a dead resolver is passed over" wait_for 20 now 192.0.2.111
: >/etc/resolv.conf
servfail() { as_user "${enter[@]}" dig +time=3 +tries=1 a.example | grep -q SERVFAIL; }
ok "without one the answer is SERVFAIL" wait_for 20 servfail
stop_kit
done_testing
