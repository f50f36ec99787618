#!/bin/bash
# Outbound transfers by iperf3, curl and nginx, and wrk, and over a bad line.
set -eu
# shellcheck source=outside.sh
. "$(dirname "$0")/outside.sh"
use_programs
install -m 644 "$(dirname "$0")"/{peer,line}.py "$work/"
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"
use_outside
make_kit_user transfers
start_gateway
say_families

# MODE OPTION...: 64 MiB that way, or as the options say
iperf() {
    local name=$1
    shift
    ok "${of}iperf3: $name" in_child timeout 60 iperf3 --client "$to" --connect-timeout 5000 "$@"
}
iperf_modes() {
    iperf "up" -n 64M
    iperf "down" -n 64M --reverse
    iperf "both ways" -n 64M --bidir
    iperf "eight at once" -n 128M -P 8
    iperf "eight at once, down" -n 128M -P 8 --reverse
    iperf "small writes" -n 2M -l 100
    iperf "small writes, down" -n 2M -l 100 --reverse
    iperf "a small window" -n 256M -w 8K
    iperf "a small window, down" -n 16M -w 8K --reverse
    iperf "a large window" -n 64M -w 4M
    iperf "a small segment" -n 16M -M 536
    iperf "without copies" -n 64M --zerocopy
    iperf "from one port" -n 4M --cport 45000
    iperf "UDP up" -u -b 100M -n 10M
    iperf "UDP down" -u -b 100M -n 10M --reverse
}

if have iperf3; then
    serves 5201 iperf3 --server
    for family in "${families[@]}"; do
        of="IPv$family: " to=$(address "$family")
        iperf_modes
    done
else
    skip "iperf3" "it is not installed"
fi

# Bytes that must be the same at the other end.
sum_of() { sha256sum | cut -d ' ' -f 1; }
down() { in_child timeout 120 curl -sS "$1" | sum_of; }
up() { # FILE URL
    in_child timeout 120 curl -sS -T "$1" "$2" && sum_of <"$work/www/${2##*/}"
}
# SIZE AT: both ways at once
both_ways() {
    local size=$1 at=$2 want
    want=$(sum_of <"$work/www/$size")
    up "$work/www/$size" "$at/up-$size" >"$work/up-sum" &
    local upload=$!
    is "${of}$size down" "$(down "$at/$size")" "$want"
    wait "$upload" || true
    is "${of}$size up" "$(cat "$work/up-sum")" "$want"
    rm -f "$work/www/up-$size"
}
many_downloads() { # SIZE AT
    local i
    for i in $(seq 16); do down "$2/$1" >"$work/sum-$i" & done
    wait
    cat "$work"/sum-* | sort | uniq -c | xargs
}
requests() { # NAME OPTION...
    local name=$1
    shift
    run in_child timeout 60 wrk -t 2 -d 2 "$@"
    like "${of}wrk: $name" "$out" "Requests/sec: *[1-9]"
    unlike "${of}wrk: $name, none fails" "$out$err" "$failures"
}

if have nginx curl; then
    serve_files 8000
    head -c 200M /dev/urandom >"$work/www/200M"
    head -c 4M /dev/urandom >"$work/www/4M"
    head -c 2M /dev/urandom >"$work/www/2M"
    echo page >"$work/www/page"
    for family in "${families[@]}"; do
        of="IPv$family: " at=$(url "$family"):8000
        both_ways 200M "$at"
        is "${of}16 downloads at once" "$(many_downloads 4M "$at")" "16 $(sum_of <"$work/www/4M")"
        if have wrk; then
            failures="Socket errors|Non-2xx"
            requests "100 connections" -c 100 "$at/page"
            # Ports are used again and again within a minute: of some ten thousand requests a few may be reset.
            failures="connect [1-9]|read [0-9]{2}|write [1-9]|timeout [1-9]|Non-2xx"
            requests "a connection a request" -c 100 -H "Connection: close" "$at/page"
        else
            skip "${of}wrk" "it is not installed"
        fi
    done
else
    skip "curl and nginx" "not installed"
fi

# One end closes first: the answer comes after the question's end, or the question after the answer's.
sum_by() { # COMMAND that sends its input and half-closes
    in_child timeout 60 "$@" <"$work/www/4M" | cut -d ' ' -f 1
}
half_closed() {
    local want host=$to
    [ "$family" = 4 ] || host="[$to]"
    want=$(sum_of <"$work/www/4M")
    is "${of}socat: the answer after the end" "$(sum_by socat -t 60 - "TCP:$host:9100")" "$want"
    is "${of}nc: the answer after the end" "$(sum_by nc -N "$to" 9100)" "$want"
    is "${of}socat: to the end, one way" "$(in_child timeout 60 socat -u "TCP:$host:9101" - | sum_of)" "$want"
    is "${of}nc: to the end, one way" "$(in_child timeout 60 nc -d "$to" 9101 | sum_of)" "$want"
}
if [ -d "$work/www" ] && have socat nc; then
    serves 9100 socat TCP6-LISTEN:9100,ipv6only=0,reuseaddr,fork SYSTEM:sha256sum
    serves 9101 socat TCP6-LISTEN:9101,ipv6only=0,reuseaddr,fork "SYSTEM:cat $work/www/4M"
    for family in "${families[@]}"; do
        of="IPv$family: " to=$(address "$family")
        half_closed
    done
else
    skip "socat and nc" "not installed"
fi

# Transfers over a line that delays by 20 ms, loses, doubles and reorders.
bad_line() {
    python3 "$work/line.py" line0 "/proc/$outside_pid/ns/net" 20 1 1 2 &
    at_end kill $!
    wait_for 20 on_outside ip link show line0 || return 1
    ip addr add 198.18.10.1 peer 198.18.10.2 dev line0
    on_outside ip addr add 198.18.10.2 peer 198.18.10.1 dev line0
    ip -6 addr add fd00:a::1/64 dev line0 nodad 2>/dev/null || true
    on_outside ip -6 addr add fd00:a::2/64 dev line0 nodad 2>/dev/null || true
    ip link set line0 up mtu 1500
    on_outside ip link set line0 up mtu 1500
}
if [ -d "$work/www" ] && bad_line; then
    for family in "${families[@]}"; do
        of="IPv$family, a bad line: " at=http://198.18.10.2:8000
        [ "$family" = 4 ] || at="http://[fd00:a::2]:8000"
        both_ways 2M "$at"
        is "${of}16 downloads at once" "$(many_downloads page "$at")" "16 $(sum_of <"$work/www/page")"
    done
else
    skip "a bad line" "there is no nginx or no TUN device"
fi
stop_kit
done_testing
