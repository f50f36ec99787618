#!/bin/bash
# Outbound TCP in numbers: 10 000 idle connections, a flood of SYNs that nobody answers; what they cost.
set -eu
# shellcheck source=outside.sh
. "$(dirname "$0")/outside.sh"
use_programs
install -m 644 "$(dirname "$0")"/peer.py "$(dirname "$0")"/../rootlesskit/tcp.py "$work/"
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"
# The data plane holds two fds a connection.
many=$(($(ulimit -n) / 2 - 500))
[ "$many" -lt 10000 ] || many=10000
use_outside
on_outside sysctl -qw net.core.somaxconn=16384
make_kit_user capacity
start_gateway
say_families
plane=$(data_plane)
memory() { awk '/^Pss:/ { print $2 }' "/proc/$1/smaps_rollup"; }

# client CASE...: peer.py in the background; "use" makes an idle one use its connections, or end
client() {
    rm -f "$work/line"
    mkfifo -m 666 "$work/line"
    in_child python3 "$work/peer.py" "$@" <"$work/line" >"$work/client.log" 2>&1 &
    client=$!
    exec 7>"$work/line"
}
use() { echo >&7; }
leave() {
    exec 7>&-
    wait "$client" || true
}
says() { grep -qx "$1" "$work/client.log"; }
as_before() { [ "$(sockets "$plane")" -le "$before" ]; }
no_pipes() { # NAME
    local n
    n=$(pipes "$plane")
    if [ "$n" -le "$spare_pipes" ]; then pass "$1"; else fail "$1" "fds of pipes: $n"; fi
}

for family in "${families[@]}"; do
    of="IPv$family: " to=$(address "$family")
    serves "1000$family" python3 "$work/tcp.py" echo "$to" "1000$family"
    before=$(sockets "$plane")
    client idle "$to" "1000$family" "$many"
    wait_for 60 says idle || note "$(cat "$work/client.log")"
    ok "$of$many connections at once" says idle
    is "${of}two fds each" "$(($(sockets "$plane") - before))" "$((2 * many))"
    no_pipes "${of}and no pipe"
    note "PSS with them: $(memory "$plane") KiB"
    use
    wait_for 60 says "$many" || note "$(cat "$work/client.log")"
    ok "${of}every one is used" says "$many"
    no_pipes "${of}still no pipe"
    leave
    ok "${of}no fd is left" wait_for 10 as_before
    kill "$server"

    # To nobody, more than twice the SYNs that have a place.
    ip neigh replace 198.18.9.66 lladdr 02:00:00:00:00:66 dev cable0 nud permanent
    nowhere=198.18.9.66
    if [ "$family" = 6 ]; then
        nowhere=fd00:9::66
        ip neigh replace "$nowhere" lladdr 02:00:00:00:00:66 dev cable0 nud permanent
    fi
    serves "1001$family" python3 "$work/tcp.py" hello "$to" "1001$family"
    client flood "$nowhere" 80 10000
    wait_for 60 says 10000 || note "$(cat "$work/client.log")"
    ok "${of}10000 SYNs to nobody" says 10000
    is "${of}the next connection works" \
        "$(in_child timeout 60 python3 "$work/tcp.py" first "$to" "1001$family")" hello
    is "${of}and 100 more" "$(in_child timeout 100 python3 "$work/tcp.py" short "$to" "1001$family" 100)" 100
    held=$(($(sockets "$plane") - before))
    [ "$held" -le 4200 ] && pass "${of}what waits is bounded" || fail "${of}what waits is bounded" "$held fds"
    note "PSS then: $(memory "$plane") KiB"
    leave
done
stop_kit
done_testing
