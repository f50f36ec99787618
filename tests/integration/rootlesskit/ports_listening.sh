#!/bin/bash
# Whether somebody in the child listens for a published port: what list-ports says, and what
# --publish-when-listening makes of it.
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
ulimit -n "$(ulimit -Hn)"
make_kit_user listening

# inside COMMAND...: in the background, in the child's network; pid is COMMAND's own
inside() {
    start_as_user nsenter --target "$(cat "$state/child_pid")" --user --net --preserve-credentials "$@"
}
end() {
    kill -KILL "$1"
    wait "$1" 2>/dev/null || true
}
# said ID: what the JSON has of it
said() { ctl list-ports --json | sed -n "s/^{\"id\":$1,.*\"listening\":\([a-z]*\)}$/\1/p"; }
says() { [ "$(said "$1")" = "$2" ]; }
refused() { [ "$(python3 "$work/tcp.py" first "$1" "$2")" = ECONNREFUSED ]; }

# Every kind of socket, each looked at on a target that it may serve or not. (KIND TARGET LISTENING)
start_kit --net=gateway --port-driver=builtin --copy-up=/etc sleep 600
read -r -a names <<<"$(python3 "$work/listen.py" names)"
port_of() {
    local i
    for i in "${!names[@]}"; do
        [ "${names[i]}" != "$1" ] || echo $((2000 + i))
    done
}
mapfile -t wanted <<'END'
tcp-any 127.0.0.1 true
tcp-any 127.1.2.3 true
tcp-any 0.0.0.0 true
tcp-any 10.0.2.100 true
tcp-any [::1] false
tcp-own 127.0.0.1 true
tcp-own 10.0.2.100 null
tcp-other 127.0.0.1 false
tcp-other 127.0.0.2 true
tcp-bound 127.0.0.1 false
tcp-dual 127.0.0.1 true
tcp-dual [::1] true
tcp-dual [fd72:6b69:74::100] true
tcp-v6only 127.0.0.1 false
tcp-v6only [::1] true
tcp-mapped 127.0.0.1 true
tcp-mapped [::1] false
tcp-v6 127.0.0.1 false
tcp-v6 [::1] true
tcp-v6 [fd72:6b69:74::100] null
tcp-lo 127.0.0.1 true
tcp-tap0 127.0.0.1 false
tcp-child 127.0.0.1 false
tcp-child 10.0.2.100 true
tcp-child 192.0.2.1 null
udp-any 127.0.0.1 true
udp-connected 127.0.0.1 false
udp-dual 127.0.0.1 true
udp-v6only 127.0.0.1 false
udp-v6only [::1] true
END
specs=() idle='' served=''
for line in "${wanted[@]}"; do
    read -r kind target want <<<"$line"
    specs+=("127.0.0.1:0:$target:$(port_of "$kind")/${kind%%-*}")
    [[ $target =~ ^(127\.|0\.|\[::1\]) ]] && idle+="false " || idle+="null "
    served+="$want "
done
ctl add-ports "${specs[@]}" >/dev/null
listening() { ctl list-ports --json | sed 's/.*"listening":\([a-z]*\)}$/\1/' | xargs; }
is "nobody listens: that is known of the loopback, and of no other address" "$(listening) " "$idle"
inside python3 "$work/listen.py" kinds 2000 >"$work/kinds"
kinds=$pid
wait_for 10 grep -q ready "$work/kinds" || note "$(cat "$work/kinds")"
mapfile -t got < <(listening | tr ' ' '\n')
for i in "${!wanted[@]}"; do
    is "${wanted[i]% *}" "${got[i]:-}" "${wanted[i]##* }"
done
is "the table has it too" "$(ctl list-ports | awk 'NR > 1 {print $NF}' | sed 's/yes/true/; s/no$/false/; s/unknown/null/' | xargs) " "$served"
end "$kinds"
is "they are gone, and so it says" "$(listening) " "$idle"
stop_kit

run as_user rootlesskit --net=none --publish-when-listening true
like "the option needs the builtin driver" "$err" "--publish-when-listening needs --port-driver=builtin"

read -r p1 p2 p3 p4 p5 <<<"$(for _ in 1 2 3 4 5; do free_port; done | xargs)"
start_kit --net=gateway --port-driver=builtin --copy-up=/etc --publish-when-listening \
    -p "127.0.0.1:$p1:3001/tcp" -p "$p2:3002/tcp" -p "127.0.0.1:$p3:10.0.2.100:3003/tcp" \
    -p "127.0.0.1:$p4:3004/udp" -p "127.0.0.1:0:3001/tcp" -p "127.0.0.1:$p5:3005/tcp" sleep 600
picked=$(ctl list-ports | awk '$1 == 5 {print $4}')
check() { curl -sS --max-time 5 -o /dev/null "http://127.0.0.1:$p1/"; }
healthy() { check; }
sick() {
    local status=0
    check 2>/dev/null || status=$?
    [ "$status" = 7 ] # refused
}
ok "nobody listens: a health check is refused" sick
ok "so is one of the port that the kernel chose" refused 127.0.0.1 "$picked"
ok "and of one of every address" refused 127.0.0.1 "$p2"
ok "in IPv6" refused ::1 "$p2"
for address in 127.0.0.1 0.0.0.0 ::; do
    is "the ports are ours all the same ($address)" \
        "$(for p in "$p1" "$p2" "$picked"; do python3 "$work/listen.py" take $address "$p"; done | xargs)" \
        "EADDRINUSE EADDRINUSE EADDRINUSE"
done
is "a target that may be somebody's by rules: open, and the child's refusal is a reset" \
    "$(python3 "$work/tcp.py" first 127.0.0.1 "$p3")" ECONNRESET
isnt "UDP is not affected" "$(ss -lunH "sport = :$p4")" ""

came=0 went=0
for _ in 1 2 3 4 5; do
    inside python3 -m http.server --bind 127.0.0.1 --directory "$work/dev" 3001 >/dev/null 2>&1
    service=$pid
    if wait_for 20 healthy; then came=$((came + 1)); fi
    end "$service"
    if wait_for 20 sick; then went=$((went + 1)); fi
done
is "a service that comes and goes: answered each time, refused each time" "$came $went" "5 5"
is "and nobody else had the port meanwhile" "$(python3 "$work/listen.py" take 127.0.0.1 "$p1")" EADDRINUSE

# A restart with connections: they are the service's business.
inside python3 "$work/tcp.py" echo 0.0.0.0 3002
service=$pid
wait_for 20 says 2 true || true
echoes() { [ "$(python3 "$work/tcp.py" first "$1" "$p2")" = x ]; }
ok "a service of IPv4 answers" wait_for 20 echoes 127.0.0.1
ok "clients of IPv6 too" echoes ::1
python3 "$work/tcp.py" hold 127.0.0.1 "$p2" >"$work/held" &
client=$!
wait_for 10 grep -q connected "$work/held" || true
end "$service"
wait "$client" || true
like "the service dies: its client sees that" "$(tail -n 1 "$work/held")" "^(reset|closed|end)"
ok "the next one is refused" wait_for 20 refused 127.0.0.1 "$p2"
inside python3 "$work/tcp.py" echo 0.0.0.0 3002
service=$pid
ok "it is back: answers" wait_for 20 echoes 127.0.0.1
end "$service"

# The listener ends, its connection does not.
inside python3 -c "
import socket
l = socket.create_server(('127.0.0.1', 3005))
while True:
    c, _ = l.accept()
    if data := c.recv(100):
        break
l.close()
while data:
    c.sendall(data)
    data = c.recv(100)
"
wait_for 20 says 6 true || true
mkfifo "$work/line"
exec 3<>"$work/line"
one_open() { ! refused_quietly "$p5"; }
# A client that says nothing is not the one that it waits for.
refused_quietly() { ! python3 -c "import socket; socket.create_connection(('127.0.0.1', $1), 5)" 2>/dev/null; }
ok "one that takes one client: open" wait_for 20 one_open
python3 "$work/tcp.py" talk 127.0.0.1 "$p5" <"$work/line" >"$work/talk" 3>&- &
client=$!
echo one >&3
ok "its client" wait_for 10 grep -q one "$work/talk"
ok "the port refuses" wait_for 20 refused_quietly "$p5"
echo two >&3
ok "and the connection goes on" wait_for 10 grep -q two "$work/talk"
exec 3>&-
wait "$client" || true
is "to its end" "$(tail -n 1 "$work/talk")" end
stop_kit

# One look serves all of them.
n=1000
start_kit --net=none --port-driver=builtin --publish-when-listening sleep 600
mapfile -t specs < <(for ((i = 0; i < n; i++)); do echo "127.0.0.1:$((20000 + i)):$((20000 + i))/tcp"; done)
ctl add-ports "${specs[@]}" >/dev/null
is "$n ports, all refuse" "$(python3 "$work/listen.py" ask 127.0.0.1 20000 $n)" "0 $n"
inside python3 "$work/listen.py" many 127.0.0.1 20000 $n >"$work/many"
service=$pid
all_said() { [ "$(python3 "$work/listen.py" ask 127.0.0.1 20000 "$n")" = "$n 0" ]; }
all_refused() { [ "$(python3 "$work/listen.py" ask 127.0.0.1 20000 "$n")" = "0 $n" ]; }
ok "all answer" wait_for 20 all_said
is "and list-ports knows of all" "$(ctl list-ports | grep -c ' yes *$')" $n
ticks() { awk '{print $14 + $15}' "/proc/$1/stat"; }
worker=$(plane)
[ -n "$worker" ] || worker=$(pgrep -n -x -P "$kit" rootlesskit)
before=$(ticks "$worker")
sleep 3
note "$n ports that are watched cost $(($(ticks "$worker") - before)) ticks of 10 ms in 3 s"
end "$service"
ok "all refuse again" wait_for 20 all_refused
stop_kit
done_testing
