#!/bin/bash
# Published ports in numbers: storms of clients, 10 000 connections at once, 1 000 ports, no fds left, clients
# and services that do not read, and what thousands of rounds leave behind.
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
# Both ends of a connection are fds of the data plane.
many=$(($(ulimit -n) / 2 - 500))
[ "$many" -lt 10000 ] || many=10000
make_kit_user many
sysctl -qw net.core.somaxconn=4096

tcp() { timeout 100 python3 "$work/tcp.py" "$1" 127.0.0.1 "${@:2}"; }
answers() { [ "$(tcp first "$1")" = hello ]; }
echoes() { [ "$(tcp first "$1")" = x ]; }
# Processor time of the data plane so far, in ticks of 10 ms.
ticks() { awk '{ print $14 + $15 }' "/proc/$plane/stat"; }
pss() { awk '/^Pss:/ { print $2 }' "/proc/$plane/smaps_rollup"; }
pipes() { find "/proc/$plane/fd" -lname 'pipe:*' | wc -l; }
at_most() { # NAME NUMBER MOST
    if [ "$2" -le "$3" ]; then pass "$1"; else fail "$1" "$2, more than $3"; fi
}
# Each of its threads may have a spare pipe by now.
no_more_than() { [ "$(fds "$plane")" -le $(($1 + 16)) ]; }

# In the child: echo on 81, hello on 82, one that never reads on 83.
# shellcheck disable=SC2016
servers='cd '"$work"'; python3 tcp.py echo 0.0.0.0 81 & python3 tcp.py hello 127.0.0.1 82 & python3 tcp.py deaf 127.0.0.1 83 & wait'
start_kit --net=none --port-driver=builtin -p 127.0.0.1:8081:81/tcp -p 127.0.0.1:8082:82/tcp -p 127.0.0.1:8083:83/tcp \
    sh -c "$servers"
plane=$(plane)
ok "published ports answer" wait_for 20 answers 8082
wait_for 20 echoes 8081 || true
fresh=$(fds "$plane")

# A thousand ports.
mapfile -t specs < <(for i in $(seq 1000); do echo "127.0.0.1:$((10000 + i)):82/tcp"; done)
mapfile -t ids < <(ctl add-ports "${specs[@]}")
is "1000 ports are published" "${#ids[@]}" 1000
is "in the list" "$(ctl list-ports --json | wc -l)" 1003
is "each answers" "$(python3 - <<'END'
import socket
good = 0
for port in range(10001, 11001):
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        s.sendall(b"x")
        good += s.recv(9) == b"hello"
print(good)
END
)" 1000
idle=$(ticks)
sleep 2
at_most "idle ones cost no processor time" "$(($(ticks) - idle))" 2
ctl remove-ports "${ids[@]}" >/dev/null
is "removed, nobody listens" "$(ss -ltnH 'sport >= :10001 and sport <= :11000' | wc -l)" 0
ok "and no fd is left" wait_for 20 no_more_than "$fresh"
# Of UDP, whose memory lies in one piece when it is given back.
mapfile -t ids < <(ctl add-ports "${specs[@]/%tcp/udp}")
is "1000 of UDP as well" "${#ids[@]} $(ctl remove-ports "${ids[@]}" | wc -l)" "1000 1000"
ok "what moves the bytes is still there" answers 8082

# Storms, and many connections at once.
for _ in 1 2 3; do tcp storm 8082 3000; done
ok "after three storms of 3000 clients it answers" wait_for 20 answers 8082
is "$many connections at once" "$(tcp many 8081 "$many")" "$many"
ok "they leave no fd" wait_for 20 no_more_than "$fresh"
is "nor a pipe that is not spare" "$(($(pipes) <= 64))" 1

# Whoever does not read stops his own connection.
mkfifo "$work/stay"
exec 3<>"$work/stay"
python3 "$work/tcp.py" stuff 127.0.0.1 8083 20 <"$work/stay" >"$work/stuck" 3>&- &
client=$!
ok "20 connections whose service does not read fill up" wait_for 60 grep -qx stuck "$work/stuck"
idle=$(ticks)
sleep 2
at_most "which costs no processor time" "$(($(ticks) - idle))" 4
is "the others have room" "$(tcp many 8081 500)" 500
ok "new ones too" answers 8082
exec 3>&-
wait "$client" || true
ctl remove-ports 3 >/dev/null
ok "without their port nothing of them is left" wait_for 20 no_more_than "$fresh"

# Thousands of rounds.
round() {
    [ "$(tcp short 8082 1000) $(tcp cut 8081 1000) $(tcp many 8081 300)" = "1000 1000 300" ]
}
ok "2000 connections of every end" round
before=$(pss) before_fds=$(fds "$plane")
for _ in 1 2 3 4; do round || fail "a round of 2300 connections"; done
at_most "9200 more: no memory is left behind" "$(pss)" $((before + 128))
ok "and no fd" wait_for 30 no_more_than "$before_fds"
note "PSS $before KiB, then $(pss) KiB"
stop_kit

# No fds: the clients wait in the queue, nothing spins, and it goes on when some are free.
state=$runtime/few
start_as_user prlimit --nofile=128:128 rootlesskit --state-dir="$state" --net=none --port-driver=builtin \
    -p 127.0.0.1:8081:81/tcp -p 127.0.0.1:8082:82/tcp sh -c "ulimit -n 128; $servers" >"$work/few.log" 2>&1
kit=$pid
ok "with 128 fds it starts" wait_for 20 answers 8082
plane=$(plane)
clients=()
for i in $(seq 100); do
    python3 "$work/tcp.py" hold 127.0.0.1 8081 >"$work/hold.$i" 2>&1 &
    clients+=($!)
done
full() { [ "$(fds "$plane")" -ge 126 ]; }
ok "100 clients take them all" wait_for 20 full
idle=$(ticks)
sleep 2
at_most "without one to spare it does not spin" "$(($(ticks) - idle))" 20
ids=() id=
for i in $(seq 8101 8140); do
    id=$(ctl add-ports "127.0.0.1:$i:82/tcp" 2>&1) || break
    ids+=("$id")
done
like "nor is there one for another port" "$id" "Too many open files"
ok "it is still there" kill -0 "$plane"
kill "${clients[@]}"
wait "${clients[@]}" 2>/dev/null || true
ok "with the clients gone it takes new ones" wait_for 20 answers 8082
[ ${#ids[@]} = 0 ] || ctl remove-ports "${ids[@]}" >/dev/null
is "and 30 more" "$(tcp short 8082 30)" 30
stop_kit
done_testing
