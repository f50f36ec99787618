#!/bin/bash
# Published ports and the API that changes them.
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
make_kit_user ports

# In the child: hello on 81, sum on 82, echo on 83, rst on 84, hello on [::1]:85.
# shellcheck disable=SC2016
servers='cd '"$work"'; python3 tcp.py hello 0.0.0.0 81 & python3 tcp.py sum 127.0.0.1 82 &
python3 tcp.py echo 127.0.0.1 83 & python3 tcp.py rst 127.0.0.1 84 & python3 tcp.py hello ::1 85 & wait'
read -r p1 p2 p3 p4 p5 p6 <<<"$(for _ in 1 2 3 4 5 6; do free_port; done | xargs)"
first() { python3 "$work/tcp.py" first "$1" "$2"; }
answers() { [ "$(first "$1" "$2")" = hello ]; }

for net in gateway none slirp4netns; do
    start_kit --net=$net --port-driver=builtin --copy-up=/etc -p "127.0.0.1:$p1:81/tcp" sh -c "$servers"
    ok "$net: a published port answers" wait_for 30 answers 127.0.0.1 "$p1"
    run ctl add-ports "127.0.0.1:$p2:10.0.2.100:81/tcp"
    if [ $net = none ]; then
        is "$net: no such address" "$(first 127.0.0.1 "$p2")" ECONNRESET
    else
        ok "$net: on the child's address too" answers 127.0.0.1 "$p2"
    fi
    stop_kit
    ok "$net: closed at the end" wait_for 20 sh -c "! ss -ltnH 'sport = :$p1' | grep -q ."
done

start_kit --net=gateway --port-driver=builtin --copy-up=/etc -p "127.0.0.1:$p1:81/tcp" sh -c "$servers"
wait_for 30 answers 127.0.0.1 "$p1" || true

# The API's own behaviour.
is "list-ports" "$(ctl list-ports | sed 's/ *$//')" "ID    PROTO    PARENTIP     PARENTPORT    CHILDIP    CHILDPORT    LISTENING
1     tcp      127.0.0.1    $p1                    81           yes"
is "add-ports prints ids" "$(ctl add-ports "$p2:82/tcp" "127.0.0.1:$p3:83/tcp4" "[::1]:$p5:[::1]:85/tcp6" | xargs)" "2 3 4"
is "list-ports --json" "$(ctl list-ports --json | tail -n 1)" \
    '{"id":4,"spec":{"proto":"tcp6","parentIP":"::1","parentPort":'"$p5"',"childPort":85,"childIP":"::1"},"listening":true}'
run ctl add-ports "127.0.0.1:$p1:81/tcp"
is "the same again is refused" "$rc" 1
like "with the port that has it" "$err" "^error: conflict with ID 1"
run ctl add-ports "0.0.0.0:$p3:81/tcp"
like "so is one that takes in another's address" "$err" "^error: conflict with ID 3: port $p3 of 127.0.0.1"
python3 "$work/tcp.py" hello 127.0.0.1 "$p6" &
server=$!
wait_for 20 answers 127.0.0.1 "$p6" || true
run ctl add-ports "127.0.0.1:$p6:81/tcp"
like "one that another program has is refused" "$err" "in use"
kill "$server"
wait "$server" || true
run ctl add-ports "$p4"
like "a spec that is none too" "$err" "PARENTIP"
run ctl remove-ports 99
like "an unknown id too" "$err" "unknown id: 99"
run ctl info
like "info names the drivers" "$out" "Network Driver: gateway.*10.0.2.3.*10.0.2.100.*Port Driver: builtin.*tcp tcp4 tcp6 udp udp4 udp6"
run ctl info --json
is "info as JSON" "$(python3 -c 'import json,sys; i=json.load(sys.stdin); print(i["apiVersion"], i["childPID"], i["networkDriver"]["driver"])' <<<"$out")" \
    "1.1.2 $(cat "$state/child_pid") gateway"

http() { as_user curl -sS --max-time 10 --unix-socket "$state/api.sock" -w '|%{http_code}|%{content_type}' "http://x/$1" "${@:2}"; }
is "unknown path" "$(http v1/nope)" $'404 page not found\n|404|text/plain; charset=utf-8'
like "wrong method" "$(http v1/ports -X PUT)" '^\|405\|'
like "no JSON" "$(http v1/ports -d '{')" '^\{"message":.*\}\|400\|application/json'
like "wrong types" "$(http v1/ports -d '{"proto":7,"parentPort":9000,"childPort":80}')" '^\{"message":.*proto.*\|400'
like "a port out of range" "$(http v1/ports -d '{"proto":"tcp","parentPort":65536,"childPort":1}')" 'parentPort.*\|400'
like "bad id" "$(http v1/ports/abc -X DELETE)" 'bad id.*abc.*\|400'
head -c 1000000 /dev/zero | tr '\0' ' ' >"$work/huge"
like "a huge body" "$(http v1/ports --data-binary "@$work/huge")" 'longer than.*\|400'
like "then it still answers" "$(http v1/info)" '\|200\|application/json$'
run setpriv --reuid nobody --regid nogroup --clear-groups curl -sS --max-time 5 --unix-socket "$state/api.sock" http://x/v1/info
isnt "another user is not served" "$rc" 0
run as_user timeout 60 sh -c "for i in \$(seq 50); do curl -sS --unix-socket $state/api.sock http://x/v1/ports -d '{\"proto\":\"tcp\",\"parentIP\":\"127.0.0.1\",\"parentPort\":'\$((12000+i))',\"childPort\":81}' & done; wait"
is "50 at once are all added" "$(ctl list-ports --json | wc -l)" 54
is "and answer" "$(for i in $(seq 50); do first 127.0.0.1 $((12000 + i)); done | sort | uniq -c | xargs)" "50 hello"
# shellcheck disable=SC2046
ctl remove-ports $(seq 5 54) >/dev/null
is "removed at once, nobody listens" "$(first 127.0.0.1 12001)" ECONNREFUSED
run ctl add-ports --json 127.0.0.1:0:81/tcp
picked=$(sed -n 's/.*"parentPort": *\([0-9]*\).*/\1/p' <<<"$out")
is "port 0 takes a free port, and says which" "$(first 127.0.0.1 "${picked:-0}")" hello
ctl remove-ports "$(sed -n 's/.*"id": *\([0-9]*\).*/\1/p' <<<"$out")" >/dev/null
is "and is removed like any other" "$(first 127.0.0.1 "${picked:-0}")" ECONNREFUSED
server=$(pgrep -u "$user" rootlesskit-api || true)
isnt "the API server runs while it is used" "$server" ""
kill -KILL "$server"
like "another one starts when it is killed" "$(http v1/info)" '\|200\|'

# The bytes.
is "a port of every address, IPv4" "$(python3 "$work/tcp.py" send 127.0.0.1 "$p2" 64)" same
is "and IPv6, to an IPv4 service" "$(python3 "$work/tcp.py" send ::1 "$p2" 4)" same
is "tcp6 to an IPv6 service" "$(first ::1 "$p5")" hello
is "2000 connections at once" "$(python3 "$work/tcp.py" many 127.0.0.1 "$p3" 2000)" 2000
ctl add-ports "127.0.0.1:$p4:84/tcp" "127.0.0.1:$p6:86/tcp" >/dev/null
is "a reset is a reset" "$(first 127.0.0.1 "$p4")" ECONNRESET
is "nobody listens in the child: a reset, not an empty answer" "$(first 127.0.0.1 "$p6")" ECONNRESET

# Removal ends the port's connections and no others.
python3 "$work/tcp.py" hold 127.0.0.1 "$p3" >"$work/kept" &
client=$!
wait_for 10 grep -q connected "$work/kept" || true
ctl remove-ports 3 >/dev/null
wait "$client" || true
is "removing a port resets its connections" "$(tail -n 1 "$work/kept")" reset
is "another port goes on" "$(first 127.0.0.1 "$p1")" hello
stop_kit

# Out of fds: the listener waits, and comes back.
state=$runtime/few
start_as_user sh -c "ulimit -n 64; exec rootlesskit --state-dir=$state --net=none --port-driver=builtin \
    -p 127.0.0.1:$p1:81/tcp sh -c '$servers'" >"$work/few.log" 2>&1
kit=$pid
ok "with 64 fds it starts" wait_for 30 answers 127.0.0.1 "$p1"
python3 "$work/tcp.py" storm 127.0.0.1 "$p1" 200
ok "after 200 connections at once it still answers" wait_for 20 answers 127.0.0.1 "$p1"
stop_kit
done_testing
