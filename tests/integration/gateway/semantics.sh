#!/bin/bash
# Outbound TCP as two ends see it: every way to refuse, to end and to reuse, as if there were no gateway.
set -eu
# shellcheck source=outside.sh
. "$(dirname "$0")/outside.sh"
use_programs
install -m 644 "$(dirname "$0")"/peer.py "$work/"
use_outside
make_kit_user semantics
serves 9000 python3 "$work/peer.py" serve 9000
serves 9006 python3 "$work/peer.py" serve 9006
start_gateway
say_families

peer() { in_child timeout 100 python3 "$work/peer.py" "$@" 2>&1; }
here() { timeout 100 python3 "$work/peer.py" "$@" 2>&1; }
# What plain TCP gives the machine itself is what the child must get.
as_here() { # CASE NAME
    is "$of$2" "$(peer "$1" "$to" 9000)" "$(here "$1" "$to" 9000)"
}
ends() {
    as_here half_client "the client ends first, the answer still comes"
    as_here half_server "the server ends first, and goes on reading"
    as_here together "both end at the same moment"
    as_here reset_by_server "a reset by the server"
    as_here reset_half_open "a reset by the server of a client that waits for its end"
    as_here reset_by_client "a reset by the client"
    like "${of}a reset in the middle of a transfer" "$(peer reset_in_bulk "$to" 9000)" "^(ECONNRESET|EPIPE), reset$"
    as_here urgent "urgent bytes are not lost"
    as_here urgent_bulk "nor in a large transfer"
    as_here urgent_wait "nor held back"
    as_here echo "keepalive probes of a program's own are answered"
    as_here slow "a slow reader gets everything"
}

# drops yes|no: what the outside does with 9006
drops() {
    on_outside nft -f - <<NFT
table inet filter
delete table inet filter
table inet filter {
    chain input {
        type filter hook input priority 0
        tcp dport 9001 reject with tcp reset
        tcp dport 9002 reject with icmpx port-unreachable
        tcp dport 9003 reject with icmpx host-unreachable
        tcp dport 9004 reject with icmpx no-route
        tcp dport 9005 reject with icmpx admin-prohibited
        $([ "$1" = no ] || echo tcp dport 9006 drop)
    }
}
NFT
}
told() { # NAME PORT
    local want
    want=$(here open "$to" "$2" 10)
    like "${of}$1: the machine is told" "$want" "^E"
    is "${of}$1: and the child the same" "$(peer open "$to" "$2" 10)" "$want"
}
tries() { ss -tnH state syn-sent "dport = :9006" | grep -q .; }
silence() {
    drops yes
    is "${of}a filter that drops: nothing until the client gives up" "$(peer open "$to" 9006 2)" silence
    is "${of}or its TCP does" "$(peer syns "$to" 9006 1)" ETIMEDOUT
    ss -K dport = :9006 >/dev/null 2>&1 || true
    peer open "$to" 9006 60 >"$work/late" &
    local client=$!
    ok "${of}the machine tries while the child waits" wait_for 20 tries
    drops no
    wait "$client" || true
    is "${of}who is let in when the filter goes" "$(cat "$work/late")" open
}
refusals() {
    told "nobody listens" 9999
    told "a filter that resets" 9001
    told "a filter: port unreachable" 9002
    told "a filter: host unreachable" 9003
    told "a filter: no route" 9004
    told "a filter: prohibited" 9005
    silence
}

# The same port from two addresses at once; the same addresses and ports again and again.
reuse() { # NETWORK SECOND-ADDRESS
    local first=$work/first second=$work/second want
    want=$(here half_client "$to" 9000)
    in_child ip addr add "$2" dev tap0 nodad 2>/dev/null || true
    peer half_client "$to" 9000 41000 "$1" >"$first" &
    local client=$!
    peer half_client "$to" 9000 41000 "${2%/*}" >"$second"
    wait "$client" || true
    is "${of}one source port of two addresses: the first" "$(cat "$first")" "$want"
    is "${of}one source port of two addresses: the second" "$(cat "$second")" "$want"
    is "${of}addresses and ports in the child's TIME_WAIT again" "$(peer reuse "$to" 9000 3)" 3
}

in_child sysctl -qw net.ipv4.tcp_tw_reuse=1
for family in "${families[@]}"; do
    of="IPv$family: " to=$(address "$family")
    if have nft && drops no; then refusals; else skip "${of}filters" "there is no nft"; fi
    ends
    if [ "$family" = 4 ]; then
        reuse 10.0.2.100 10.0.2.101/24
    else
        reuse fd72:6b69:74::100 fd72:6b69:74::101/64
    fi
done
stop_kit
done_testing
