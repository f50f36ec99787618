#!/bin/bash
# Networks inside the child's: bridges as engines make them, rules of its own, another rootlesskit.
set -eu
# shellcheck source=outside.sh
. "$(dirname "$0")/outside.sh"
use_programs
install -m 644 "$(dirname "$0")"/peer.py "$(dirname "$0")"/../rootlesskit/*.py "$work/"
use_outside
make_kit_user nested
serves 9000 python3 "$work/peer.py" serve 9000
start_gateway
say_families

in_box() { nsenter --net="/proc/$box/ns/net" timeout 30 "$@" 2>&1; }
peer() { python3 "$work/peer.py" "$@"; }
# bridge NAME IPV4-NET IPV6-NET: a bridge of the child's and behind it $box, a container's network
bridge() {
    new_network "$child_pid"
    box=$pid
    in_child ip link add "$1" type bridge
    in_child ip addr add "$2.1/24" dev "$1"
    in_child ip -6 addr add "$3::1/64" dev "$1" nodad 2>/dev/null || true
    in_child ip link set "$1" up
    nsenter -t "$child_pid" -n ip link add "v-$1" type veth peer name eth0 netns "$box"
    in_child ip link set "v-$1" master "$1" up
    in_box ip link set lo up
    in_box ip addr add "$2.2/24" dev eth0
    in_box ip -6 addr add "$3::2/64" dev eth0 nodad >/dev/null || true
    in_box ip link set eth0 up
    in_box ip route add default via "$2.1"
    in_box ip -6 route add default via "$3::1" >/dev/null || true
}
masqueraded() {
    is "${of}masqueraded, a container reaches out" "$(in_box python3 "$work/peer.py" half_client "$to" 9000)" \
        "$(peer half_client "$to" 9000)"
    is "${of}and is refused as the machine is" "$(in_box python3 "$work/peer.py" open "$to" 9999 5)" ECONNREFUSED
    in_child nft add table inet block
    in_child nft 'add chain inet block forward { type filter hook forward priority 0; }'
    in_child nft add rule inet block forward drop
    is "${of}a FORWARD rule that drops holds" "$(in_box python3 "$work/peer.py" open "$to" 9000 2)" silence
    in_child nft flush chain inet block forward
    in_child nft add rule inet block forward reject with icmpx admin-prohibited
    like "${of}and one that rejects" "$(in_box python3 "$work/peer.py" open "$to" 9000 5)" "^(EHOSTUNREACH|EACCES)$"
    is "${of}the child itself is not forwarded" "$(in_child python3 "$work/peer.py" open "$to" 9000 5)" open
    in_child nft delete table inet block
    is "${of}without the rule it is reached again" "$(in_box python3 "$work/peer.py" open "$to" 9000 5)" open
}

if have nft && in_child nft list ruleset >/dev/null 2>&1; then
    in_child sysctl -qw net.ipv4.ip_forward=1
    in_child sysctl -qw net.ipv6.conf.all.forwarding=1 2>/dev/null || true
    bridge br0 172.18.0 fd00:18
    for family in "${families[@]}"; do
        is "IPv$family: without masquerading nobody answers a container, as behind any router" \
            "$(in_box python3 "$work/peer.py" open "$(address "$family")" 9000 2)" silence
    done
    in_child nft add table inet nat
    in_child nft 'add chain inet nat post { type nat hook postrouting priority 100; }'
    in_child nft add rule inet nat post oifname tap0 masquerade
    for family in "${families[@]}"; do
        of="IPv$family: " to=$(address "$family")
        masqueraded
    done
    in_child nft add table inet out
    in_child nft 'add chain inet out output { type filter hook output priority 0; }'
    in_child nft add rule inet out output oifname tap0 tcp dport 9000 reject with tcp reset
    is "a rule for the child's own traffic holds" \
        "$(in_child python3 "$work/peer.py" open "$outside" 9000 5)" ECONNREFUSED
    in_child nft delete table inet out
else
    skip "a container's network" "there is no nft"
fi
stop_kit

# A rootlesskit inside a rootlesskit, each with a gateway.
serves 9001 python3 "$work/tcp.py" who "$outside" 9001
# shellcheck disable=SC2016 # for the shell inside
inner='echo "0 0" >/proc/sys/net/ipv4/ping_group_range; rm -f /etc/subuid /etc/subgid; echo "root:1:60000" >/etc/subuid; echo "root:1:60000" >/etc/subgid
    rootlesskit --net=gateway --state-dir="$XDG_RUNTIME_DIR/inner" --cidr=10.0.3.0/24 "$@"'
inner() { as_user rootlesskit --net=gateway --copy-up=/etc sh -c "$inner" inner "$@"; }
run inner ip -br addr show tap0
like "a gateway in a gateway: its address" "$out" "10.0.3.100/24"
[ "$rc" -eq 0 ] || note "$err"
for family in "${families[@]}"; do
    to=$(address "$family")
    port=$((9010 + family))
    serves $port python3 "$work/tcp.py" who "$to" $port
    on_outside python3 "$work/udp.py" who "$to" $port &
    at_end kill $!
    # shellcheck disable=SC2016 # for the shell inside
    run inner sh -c 'python3 "$1/tcp.py" first "$2" "$3"
        python3 "$1/udp.py" times "$2" "$3" 3
        ping -n -q -c 1 -W 5 "$2" | sed -n "s/.* \([0-9]*\) received.*/\1 ping/p"
        python3 "$1/tcp.py" first "$2" 9999
        python3 "$1/outbound.py" error "$2" 9998' sh "$work" "$to" $port
    from=$([ "$family" = 6 ] && echo "$machine6" || echo "$machine")
    is "IPv$family: a gateway in a gateway: TCP, UDP, ping, refused" "$out" \
        "$from"$'\n'"$from"$'\n'"1 ping"$'\n'"ECONNREFUSED"$'\n'"ECONNREFUSED"
    [ "$rc" -eq 0 ] || note "$err"
done
on_outside python3 "$work/dns.py" "$outside" 192.0.2.7 &
at_end kill $!
wait_for 10 on_outside sh -c "ss -lunH 'sport = :53' | grep -q ."
for server in 10.0.3.3 ${families[1]:+fd72:6b69:74::3}; do
    run inner dig +short +time=5 +tries=2 "@$server" inner.example
    is "a gateway in a gateway: names, by $server" "$out" 192.0.2.7
done

# The network as a file: whoever may enter it is out.
start_kit --net=gateway --detach-netns sleep infinity
run as_user nsenter -U -m --preserve-credentials -t "$(cat "$state/child_pid")" \
    nsenter -n"$state/netns" python3 "$work/tcp.py" first "$outside" 9001
is "--detach-netns: from the file" "$out" "$machine"
[ "$rc" -eq 0 ] || note "$err"
stop_kit

# No TUN device: automatic choice takes the next, and says why; asked for by name it is an error.
chmod 600 /dev/net/tun
run as_user rootlesskit --net=auto true
like "--net=auto says why it is not the gateway" "$err" "gateway.*/dev/net/tun"
run as_user rootlesskit --net=gateway true
is "--net=gateway fails" "$rc" 1
like "and says why" "$err" "/dev/net/tun"
chmod 666 /dev/net/tun
run as_user rootlesskit --net=auto ip -br addr show tap0
like "--net=auto takes the gateway where it can" "$out" "10.0.2.100"
done_testing
