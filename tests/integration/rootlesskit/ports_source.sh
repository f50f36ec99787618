#!/bin/bash
# Published TCP ports: the service sees the client's address.
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
remote() { nsenter -t "$far" -n python3 "$work/tcp.py" "$@"; }
in_child() { nsenter -t "$(cat "$state/child_pid")" -n "$@"; }
ip link add here0 type veth peer name far0 || skip_all "no veth interfaces"
wait_for 10 sleeps "$far" || true
ip link set far0 netns "$far"
ip addr add 198.18.9.1/24 dev here0
ip link set here0 up
nsenter -t "$far" -n sh -c "ip link set lo up; ip link set far0 up; ip addr add 198.18.9.7/24 dev far0; ip addr add 10.0.2.100/32 dev far0"
ip route add 10.0.2.100/32 dev here0
ipv6=
if ip -6 addr add fd00:9::1/64 dev here0 nodad 2>/dev/null &&
    nsenter -t "$far" -n ip -6 addr add fd00:9::7/64 dev far0 nodad; then ipv6=1; fi

# In the child: who on 81 of every address (and on [::1]:82), hello on 84.
# shellcheck disable=SC2016
servers='cd '"$work"'; python3 tcp.py who 0.0.0.0 81 & python3 tcp.py who ::1 82 & python3 tcp.py hello 127.0.0.1 84 & wait'
here() { python3 "$work/tcp.py" "$@"; }
serves() { here first 127.0.0.1 8081 | grep -q 127.0.0.1; }
ports=(-p 8081:81/tcp -p 127.0.0.1:8086:86/tcp)
[ -z "$ipv6" ] || ports+=(-p '[::]:8082:[::1]:82/tcp6' -p '8083:[::1]:82/tcp')

start() { # OPTION...
    start_kit --port-driver=builtin --copy-up=/etc "${ports[@]}" "$@" sh -c "$servers"
    wait_for 30 serves || note "$(cat "$work/kit.log")"
}

backend() { ctl info --json | sed -n 's/.*"sourceIPTransparentBackend": *"\(.*\)".*/\1/p'; }

for net in none slirp4netns gateway; do
    if [ $net = slirp4netns ] && ! command -v slirp4netns >/dev/null; then
        skip "slirp4netns" "it is not installed"
        continue
    fi
    start --net=$net
    is "$net: info names the backend" "$(backend)" nft
    is "$net: a remote client's address" "$(remote first 198.18.9.1 8081)" 198.18.9.7
    is "$net: a client on this host's" "$(here first 198.18.9.1 8081)" 198.18.9.1
    is "$net: the loopback's stays" "$(here first 127.0.0.1 8081)" 127.0.0.1
    if [ -n "$ipv6" ]; then
        is "$net: IPv6" "$(remote first fd00:9::1 8082)" fd00:9::7
        is "$net: IPv6 on this host" "$(here first fd00:9::1 8082)" fd00:9::1
        is "$net: IPv6 loopback" "$(here first ::1 8082)" ::1
        is "$net: another family than the service's cannot be kept" "$(remote first 198.18.9.1 8083)" ::1
    fi
    if [ $net != none ]; then
        ctl add-ports 198.18.9.1:8085:10.0.2.100:81/tcp >/dev/null
        is "$net: to the namespace's address" "$(remote first 198.18.9.1 8085)" 198.18.9.7
        is "$net: an address that the namespace has itself is not borrowed" \
            "$(remote from 198.18.9.1 8081 10.0.2.100)" 127.0.0.1
    fi
    [ $net = gateway ] || stop_kit
done

is "a thousand connections, one after the other" "$(remote short 198.18.9.1 8081 1000 198.18.9.7)" 1000
is "all from one port" "$(remote reuse 198.18.9.1 8081 50 198.18.9.7)" 50
is "nobody listens: a reset" "$(here first 127.0.0.1 8086)" ECONNRESET
ctl add-ports 198.18.9.1:8087:86/tcp >/dev/null
is "for a remote client too" "$(remote first 198.18.9.1 8087)" ECONNRESET
is "a privileged source port" "$(remote from 198.18.9.1 8081 198.18.9.7 999)" 198.18.9.7

# The service that does not answer strangers: after a while it is asked plainly.
in_child ip rule add prio 50 from 127.0.0.1 to 198.18.9.0/24 blackhole
is "no answer: the connection is made plainly" "$(remote first 198.18.9.1 8081)" 127.0.0.1
in_child ip rule del prio 50

# Which of several services: that of the address the port leads to, and nobody in its place.
in_child python3 "$work/tcp.py" hello 127.0.0.1 8090 &
in_child python3 "$work/tcp.py" who 10.0.2.100 8090 &
in_child python3 "$work/tcp.py" hello 127.0.0.1 8091 &
in_child python3 "$work/tcp.py" who 10.0.2.100 8092 &
wait_for 20 in_child sh -c "[ \$(ss -ltnH 'sport >= :8090 and sport <= :8092' | wc -l) = 4 ]"
ctl add-ports 198.18.9.1:8090:8090/tcp 198.18.9.1:8091:10.0.2.100:8090/tcp 198.18.9.1:8092:10.0.2.100:8091/tcp \
    198.18.9.1:8093:8092/tcp >/dev/null
is "by default that of the loopback" "$(remote first 198.18.9.1 8090)" hello
is "with the namespace's address that one's" "$(remote first 198.18.9.1 8091)" 198.18.9.7
is "not one that listens on the loopback alone" "$(remote first 198.18.9.1 8092)" ECONNRESET
is "nor the other way round" "$(remote first 198.18.9.1 8093)" ECONNRESET

# Whoever makes no NAT does not pay for it.
tracked=/proc/sys/net/netfilter/nf_conntrack_count
is "no connection is tracked" "$(in_child cat $tracked 2>/dev/null || echo 0)" 0

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
    nsenter -t "$box" -n python3 "$work/tcp.py" who 0.0.0.0 80 &
    nsenter -t "$box" -n python3 "$work/tcp.py" sum 0.0.0.0 81 &
    in_child nft -f - <<'NFT'
table ip docker {
    chain output {
        type nat hook output priority -100
        ip daddr 127.0.0.1 tcp dport 8088 dnat to 172.17.0.2:80
        ip daddr 10.0.2.100 tcp dport 8089 dnat to 172.17.0.2:80
        ip daddr 127.0.0.1 tcp dport 8094 dnat to 172.17.0.2:81
        ip daddr 127.0.0.1 tcp dport 8095 dnat to 172.17.0.2:82
    }
}
NFT
    ctl add-ports 198.18.9.1:8088:8088/tcp 198.18.9.1:8089:10.0.2.100:8089/tcp 198.18.9.1:8094:8094/tcp \
        198.18.9.1:8095:8095/tcp >/dev/null
    container() { remote first 198.18.9.1 8088 | grep -v ECONN; }
    wait_for 30 container || true
    is "a container sees it" "$(container)" 198.18.9.7
    is "by the namespace's address too" "$(remote first 198.18.9.1 8089)" 198.18.9.7
    is "a hundred times from one port" "$(remote reuse 198.18.9.1 8088 100 198.18.9.7)" 100
    is "it answers after the client's end" "$(remote send 198.18.9.1 8094 64)" same
    is "its refusal is the client's" "$(remote first 198.18.9.1 8095)" ECONNRESET
    in_child python3 "$work/tcp.py" hello 127.0.0.1 8088 &
    wait_for 10 in_child sh -c "ss -ltnH 'sport = :8088' | grep -q ."
    is "packet rules win over a service of the loopback's" "$(remote first 198.18.9.1 8088)" 198.18.9.7
    in_child nft flush chain ip docker output
    is "which is reached without them" "$(remote first 198.18.9.1 8088)" hello
    kill "$box"
else
    skip "a container" "there is no nft"
fi
is "rules of its own, nothing else" "$(in_child nft list tables 2>/dev/null | grep -v docker | xargs)" \
    "table ip rootlesskit${ipv6:+ table ip6 rootlesskit}"
stop_kit

start --net=gateway --source-ip-transparent=false
is "not with --source-ip-transparent=false" "$(remote first 198.18.9.1 8081)" 127.0.0.1
is "info says so" "$(backend)" none
is "which makes no rules" "$(in_child nft list ruleset 2>/dev/null)" ""
stop_kit

if command -v iptables ip6tables >/dev/null; then
    start --net=none --source-ip-transparent-backend=iptables
    is "iptables: info names the backend" "$(backend)" iptables
    is "iptables: a remote client's address" "$(remote first 198.18.9.1 8081)" 198.18.9.7
    [ -z "$ipv6" ] || is "iptables: IPv6" "$(remote first fd00:9::1 8082)" fd00:9::7
    stop_kit
else
    skip "iptables" "it is not installed"
fi

# Neither works: told once, and ports work without.
mkdir "$work/empty"
env_user+=("PATH=$bin:$work/empty")
state=$runtime/kit
start_kit --net=none --port-driver=builtin --source-ip-transparent-backend=iptables -p 8081:81/tcp \
    /bin/sh -c "cd $work; exec /usr/bin/python3 tcp.py who 0.0.0.0 81"
wait_for 30 serves || true
is "without the programs ports work" "$(remote first 198.18.9.1 8081)" 127.0.0.1
is "info says so too" "$(backend)" none
is "and the reason is told once" "$(grep -c 'will not see.*iptables: not found' "$work/kit.log")" 1
stop_kit
done_testing
