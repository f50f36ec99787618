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

# client CASE...: peer.py in the background; "use" makes an idle one use its connections
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
ends_with() { # NAME TEXT
    wait_for 60 says "$2" || note "$(cat "$work/client.log")"
    ok "$of$1" says "$2"
}
no_pipes() { # NAME
    local n
    n=$(pipes "$plane")
    if [ "$n" -le "$spare_pipes" ]; then pass "$of$1"; else fail "$of$1" "fds of pipes: $n"; fi
}
as_before() { [ "$(sockets "$plane")" -le "$before" ]; }

idle() {
    serves "1000$family" python3 "$work/tcp.py" echo "$to" "1000$family"
    before=$(sockets "$plane")
    client idle "$to" "1000$family" "$many"
    ends_with "$many connections at once" idle
    is "${of}two fds each" "$(($(sockets "$plane") - before))" "$((2 * many))"
    no_pipes "and no pipe"
    note "PSS with them: $(memory "$plane") KiB"
    use
    ends_with "every one is used" "$many"
    no_pipes "still no pipe"
    leave
    ok "${of}no fd is left" wait_for 20 as_before
    kill "$server"
}

works() { # NAME: a new connection does, and 20 more
    is "$of$1: the next connection works" \
        "$(in_child timeout 60 python3 "$work/tcp.py" first "$to" "1001$family")" hello
    is "$of$1: and 20 more" "$(in_child timeout 60 python3 "$work/tcp.py" short "$to" "1001$family" 20)" 20
}
# To nobody, more than twice the SYNs that have a place.
flood() {
    local nowhere=198.18.9.66 held
    [ "$family" = 4 ] || nowhere=fd00:9::66
    ip neigh replace "$nowhere" lladdr 02:00:00:00:00:66 dev cable0 nud permanent
    before=$(sockets "$plane")
    client flood "$nowhere" 80 10000
    ends_with "10000 SYNs to nobody" 10000
    works "a flood"
    held=$(($(sockets "$plane") - before))
    if [ "$held" -le 4200 ]; then pass "${of}what waits is bounded"; else fail "${of}what waits is bounded" "$held fds"; fi
    note "PSS then: $(memory "$plane") KiB"
    leave
}

for family in "${families[@]}"; do
    of="IPv$family: " to=$(address "$family")
    idle
done
for family in "${families[@]}"; do
    of="IPv$family: " to=$(address "$family")
    serves "1001$family" python3 "$work/tcp.py" hello "$to" "1001$family"
    flood
done
stop_kit

# Fewer fds than places.
mkdir "$work/few"
printf '#!/bin/sh\nexec prlimit --nofile=1024:1024 %s "$@"\n' "$bin/rootlesskit" >"$work/few/rootlesskit"
chmod 755 "$work/few/rootlesskit"
env_user+=("PATH=$work/few:$PATH")
start_gateway
plane=$(data_plane)
for family in "${families[@]}"; do
    of="IPv$family, 1024 fds: " to=$(address "$family")
    flood
done
stop_kit
done_testing
