#!/bin/bash
# Removing a published port without cutting its connections off.
set -eu
# shellcheck disable=SC2034 # for lib.sh
own_network=1
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
command -v curl >/dev/null || skip_all "no curl"
use_programs
install -m 644 "$(dirname "$0")"/*.py "$work/"
make_kit_user drain

# shellcheck disable=SC2016
servers='cd '"$work"'; python3 tcp.py echo 127.0.0.1 3001 & python3 tcp.py sum 127.0.0.1 3002 & wait'
first() { timeout 20 python3 "$work/tcp.py" first 127.0.0.1 "$1"; }
gives() { [ "$(first "$1")" = "$2" ]; }
# talk NAME PORT: a connection that says what is written to fd 3, and $work/NAME what it hears
talk() {
    mkfifo "$work/$1.in"
    exec 3<>"$work/$1.in"
    timeout 60 python3 "$work/tcp.py" talk 127.0.0.1 "$2" <"$work/$1.in" >"$work/$1" 3>&- &
    client=$!
    echo hello >&3
    wait_for 10 grep -q hello "$work/$1" || note "no connection: $1"
}
# hold NAME PORT: one that says nothing; $work/NAME tells how it ends
hold() {
    timeout 60 python3 "$work/tcp.py" hold 127.0.0.1 "$2" >"$work/$1" &
    client=$!
    wait_for 10 grep -q connected "$work/$1" || note "no connection: $1"
}
# drain NAME SECONDS ID: in the background
drain() {
    ctl remove-ports "--drain=$2" "$3" >"$work/$1.drain" 2>&1 3>&- &
    drain=$!
}
http() { as_user curl -sS --max-time 20 --unix-socket "$state/api.sock" -w '|%{http_code}' "http://x/$1" "${@:2}"; }

read -r p1 p2 p3 p4 <<<"$(for _ in 1 2 3 4; do free_port; done | xargs)"
start_kit --net=gateway --port-driver=builtin --copy-up=/etc -p "127.0.0.1:$p1:3001/tcp" \
    -p "127.0.0.1:$p2:3002/tcp" -p "127.0.0.1:$p3:3001/tcp" -p "127.0.0.1:$p4:3003/udp" sh -c "$servers"
ok "a published port answers" wait_for 30 gives "$p1" x
served() { ctl list-ports --json | grep -q "^{\"id\":$1,.*\"listening\":true"; }
ok "another one too" wait_for 30 served 2

talk kept "$p1"
drain kept 60 1
ok "new clients are refused at once" wait_for 20 gives "$p1" ECONNREFUSED
unlike "it is not in the list any more" "$(timeout 5 rootlessctl --socket "$state/api.sock" list-ports)" "^1 "
ok "other requests are answered meanwhile" timeout 5 rootlessctl --socket "$state/api.sock" add-ports "127.0.0.1:0:3001/tcp"
ok "other ports too" gives "$p3" x
is "its host port may be published again" "$(ctl add-ports "127.0.0.1:$p1:3001/tcp")" 6
ok "and answers" gives "$p1" x
echo still >&3
ok "the connection goes on" wait_for 10 grep -q still "$work/kept"
ok "and the command waits for it" kill -0 "$drain"
exec 3>&-
wait "$client" || true
is "to its own end" "$(tail -n 1 "$work/kept")" end
status=0
wait "$drain" || status=$?
is "then the command ends with its id" "$status $(cat "$work/kept.drain")" "0 1"

timeout 60 python3 "$work/tcp.py" send 127.0.0.1 "$p2" 300 >"$work/sum" &
client=$!
moving() { ctl flows --json | grep -q '"portID":2,.*"receivedBytes":[1-9][0-9]\{6\}'; }
wait_for 10 moving || note "$(ctl flows)"
is "a transfer that is under way" "$(ctl remove-ports --drain=60 2)" 2
wait "$client" || true
is "completes" "$(cat "$work/sum")" same

hold hung "$p3"
is "one that hangs: the command ends all the same" "$(ctl remove-ports --drain=1 3)" 3
wait "$client" || true
is "and the connection is reset" "$(tail -n 1 "$work/hung")" reset
is "UDP has no connections: gone at once" "$(ctl remove-ports --drain=600 4)" 4
is "really" "$(ss -lunH "sport = :$p4")" ""
is "without a number, and nobody there: at once" "$(ctl remove-ports --drain 5)" 5
run ctl remove-ports --drain=5 99
like "an unknown id" "$err" "unknown id: 99"
run ctl remove-ports --drain=x 6
like "no number" "$err" "--drain"
run ctl remove-ports --drain 5
like "a word behind it is no number of seconds" "$err" "unknown id: 5"

for bad in x -1 1.5 86401 99999999999 "" "1%30"; do
    like "?drain=$bad" "$(http "v1/ports/6?drain=$bad" -X DELETE)" 'bad drain.*\|400$'
done
like "?drain" "$(http "v1/ports/6?drain" -X DELETE)" 'bad drain.*\|400$'
ok "nothing was changed by those" gives "$p1" x
is "?drain=0 is no drain" "$(http "v1/ports/6?drain=0&more=1" -X DELETE)" "|200"

# Whoever waited and went away changes nothing, nor does the end of the server.
ctl add-ports "127.0.0.1:$p1:3001/tcp" "127.0.0.1:$p3:3001/tcp" >/dev/null
hold gone "$p1"
drain gone 2 7
wait_for 20 gives "$p1" ECONNREFUSED || true
kill -KILL "$drain"
wait "$drain" 2>/dev/null || true
ok "the waiting client is killed: others are served" timeout 5 rootlessctl --socket "$state/api.sock" info
wait "$client" || true
is "and the limit holds" "$(tail -n 1 "$work/gone")" reset
hold server "$p3"
drain server 2 8
wait_for 20 gives "$p3" ECONNREFUSED || true
kill -KILL "$(pgrep -u "$user" rootlesskit-api)"
status=0
wait "$drain" || status=$?
is "the API's server is killed: the client is told" "$status" 1
wait "$client" || true
is "and the limit holds" "$(tail -n 1 "$work/server")" reset

# As many as there may be, all at a time.
mapfile -t specs < <(for i in $(seq 65); do echo "127.0.0.1:$((21000 + i)):3001/tcp"; done)
mapfile -t ids < <(ctl add-ports "${specs[@]}")
for i in $(seq 65); do
    timeout 180 python3 "$work/tcp.py" hold 127.0.0.1 $((21000 + i)) >"$work/hold.$i" &
done
all_held() { [ "$(cat "$work"/hold.* | grep -c connected)" = 65 ]; }
wait_for 20 all_held || true
for id in "${ids[@]:0:64}"; do
    as_user curl -sS --max-time 60 --unix-socket "$state/api.sock" "http://x/v1/ports/$id?drain=20" -X DELETE >/dev/null &
done
none_but_one() { [ "$(ctl list-ports | wc -l)" = 2 ]; }
ok "64 drain at once" wait_for 15 none_but_one
like "one more is refused" "$(http "v1/ports/${ids[64]}?drain=5" -X DELETE)" 'too many.*\|400'
ok "and is still there" none_but_one
ctl remove-ports "${ids[64]}" >/dev/null
jobs_done() { [ "$(cat "$work"/hold.* | grep -c reset)" = 65 ]; }
ok "all come to their end" wait_for 120 jobs_done
is "the next may drain" "$(ctl remove-ports --drain=5 "$(ctl add-ports 127.0.0.1:0:3001/tcp)" | wc -l)" 1

# The end of rootlesskit does not wait.
ctl add-ports "127.0.0.1:$p1:3001/tcp" >/dev/null
hold ending "$p1"
drain ending 600 "$(ctl list-ports | awk 'NR == 2 {print $1}')"
wait_for 20 gives "$p1" ECONNREFUSED || true
stop_kit
status=0
wait "$drain" || status=$?
is "rootlesskit ends while one waits: he is told" "$status" 1
ok "and nothing is left" wait_for 10 family_gone

if command -v slirp4netns >/dev/null; then
    start_kit --net=slirp4netns --port-driver=slirp4netns -p "127.0.0.1:$p1:10.0.2.100:3001/tcp" sleep 600
    run ctl remove-ports --drain 1
    like "a driver that cannot says so" "$err" "slirp4netns driver cannot wait"
    is "and keeps the port" "$(ctl list-ports | awk 'NR == 2 {print $1}')" 1
    stop_kit
else
    skip "a driver that cannot" "no slirp4netns"
fi
done_testing
