#!/bin/bash
# --port-handover: a service that listens where a published port leads to has a socket of the host's.
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
make_kit_user handover

# A command that does what it is told: what it starts is under its filter, what nsenter brings is not.
mkfifo -m 666 "$work/orders"
exec 3<>"$work/orders"
# shellcheck disable=SC2016 # for the shell inside
begin() { start_kit --copy-up=/etc --port-driver=builtin "$@" sh -c 'exec sh <"$0" 3<&-' "$work/orders"; }
# order COMMAND...: as a child of the command's; pid is its own
order() {
    echo "$* & echo \$! >$home/tmp/pid; mv $home/tmp/pid $home/tmp/pid.done" >&3
    wait_for 10 test -e "$home/tmp/pid.done" || note "$(cat "$work/kit.log")"
    pid=$(cat "$home/tmp/pid.done")
    rm -f "$home/tmp/pid.done"
}
end() {
    kill -KILL "$1"
    wait_for 10 gone "$1"
}
gone() { [ ! -e "/proc/$1/stat" ] || [ "$(awk '{print $3}' "/proc/$1/stat")" = Z ]; }
inside() { nsenter --target "$(cat "$state/child_pid")" --user --net --preserve-credentials "$@"; }
says() { timeout 15 python3 "$work/tcp.py" first "$1" "$2"; }
says_so() { [ "$(says "$1" "$2")" = "$3" ]; }
# Whose process has the socket that listens on the host's port.
owner() { ss -ltnpH "sport = :$1" | sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\).*/\1/p' | sort | xargs; }
owned_by() { [ "$(owner "$1")" = "$2" ]; }
# What list-ports says of the host's port: the service has it itself, or we relay.
handed() { [ "$(ctl list-ports | awk -v port="$1" '$4 == port || $3 == port {print $NF}')" = itself ]; }
relayed() { ! handed "$1"; }

run as_user rootlesskit --net=none --port-handover=all true
like "the option needs the builtin driver" "$err" "--port-handover needs --port-driver=builtin"
for bad in 0 65536 80- 90-80 80,,81 x all,80 '' 80:81; do
    run as_user rootlesskit --net=gateway --port-driver=builtin "--port-handover=$bad" true
    like "--port-handover=$bad" "$rc $err" "^1 .*--port-handover: \"$bad\": "
done

begin --net=gateway --port-handover=8081-8088,8090 -p 8081:81/tcp -p 8083:83/tcp4 -p "[::]:8084:84/tcp6" \
    -p 127.0.0.1:8085:85/tcp -p 8086:86/tcp -p 8089:89/tcp -p 8090:86/tcp -p 8087:10.0.2.100:87/tcp
ip address add 198.51.100.7/32 dev lo

# Who serves whom, as whose client: KIND PORT, then what clients of 127.0.0.1, ::1 and 198.51.100.7 see.
mapfile -t wanted <<'END'
v4 81 8081 AF_INET 127.0.0.1|AF_INET 127.0.0.1|AF_INET 198.51.100.7|python3 rootlesskit
v4-thread 81 8081 AF_INET 127.0.0.1|AF_INET 127.0.0.1|AF_INET 198.51.100.7|python3 rootlesskit
dual 81 8081 AF_INET6 ::ffff:127.0.0.1|AF_INET6 ::1|AF_INET6 ::ffff:198.51.100.7|python3
mapped 81 8081 AF_INET6 ::ffff:127.0.0.1|AF_INET6 ::1|AF_INET6 ::ffff:198.51.100.7|python3
v4 83 8083 AF_INET 127.0.0.1|ECONNREFUSED|AF_INET 198.51.100.7|python3
dual 83 8083 AF_INET6 ::ffff:127.0.0.1|ECONNREFUSED|AF_INET6 ::ffff:198.51.100.7|python3
v4 85 8085 AF_INET 127.0.0.1|ECONNREFUSED|ECONNREFUSED|python3
v4 87 8087 AF_INET 127.0.0.1|AF_INET 127.0.0.1|AF_INET 198.51.100.7|python3 rootlesskit
v4 89 8089 AF_INET 127.0.0.1|AF_INET 127.0.0.1|AF_INET 198.51.100.7|rootlesskit
END
for line in "${wanted[@]}"; do
    read -r kind port host want <<<"$line"
    order "exec python3 $work/handover.py serve $kind $port"
    service=$pid
    wait_for 10 says_so 127.0.0.1 "$host" "${want%%|*}" || true
    is "$kind on $port" "$(says 127.0.0.1 "$host")|$(says ::1 "$host")|$(says 198.51.100.7 "$host")|$(owner "$host")" "$want"
    like "and a client in the child" "$(inside timeout 15 python3 "$work/tcp.py" first 127.0.0.1 "$port")" "^AF_INET6? (::ffff:)?127.0.0.1$"
    end "$service"
    like "it is gone: refused at once" "$(says 127.0.0.1 "$host")" "^ECONN(REFUSED|RESET)$"
    ok "and the port is relayed again" wait_for 50 relayed "$host"
done

order "exec python3 $work/handover.py options 81 >$home/tmp/options"
wait_for 10 test -s "$home/tmp/options" || true
is "its options are what they were, its port is the host's" "$(cat "$home/tmp/options")" "same 8081"
wait_for 50 relayed 8081 || true

numbers() { for _ in {1..60}; do says 127.0.0.1 "$1"; echo; done | sort | uniq | xargs; }
order "exec python3 $work/handover.py fork 83 3"
service=$pid
ok "processes that share a socket: it is the host's" wait_for 10 owned_by 8083 python3
is "each has clients" "$(numbers 8083)" "0 1 2"
pkill -KILL -P "$service"
end "$service"
ok "the last is gone: relayed" wait_for 50 relayed 8083
order "exec python3 $work/handover.py share 83 3"
service=$pid
ok "sockets that share a port: all are the host's" wait_for 10 owned_by 8083 "python3 python3 python3"
is "each has clients" "$(numbers 8083)" "0 1 2"
first=$(pgrep -P "$service" | head -n 1)
end "$first"
is "one of them ends, the first of all perhaps: the others have all" "$(numbers 8083 | wc -w)" 2
like "and clients in the child" "$(inside timeout 15 python3 "$work/tcp.py" first 127.0.0.1 83)" "^[012]\$"
pkill -KILL -P "$service"
end "$service"
ok "the last is gone: relayed" wait_for 50 relayed 8083

# One of both families and one of IPv4, which the kernel prefers for its clients.
mkfifo -m 666 "$work/close"
exec 4<>"$work/close"
order "exec python3 $work/handover.py two 81 <$work/close"
service=$pid
both() { [ "$(says 127.0.0.1 8081) $(says ::1 8081)" = "$1" ]; }
sockets() { ss -ltnpH "sport = :$1" | grep -c "$2"; }
ok "two sockets of different families" wait_for 20 both "AF_INET AF_INET6"
is "both are the host's" "$(sockets 8081 python3) $(sockets 8081 rootlesskit)" "2 0"
like "clients in the child have them" "$(inside timeout 15 python3 "$work/tcp.py" first 127.0.0.1 81)" "^AF_INET"
echo >&4
ok "that of both ends: clients of IPv6 are relayed to the other one" wait_for 20 both "AF_INET AF_INET"
is "which is the host's still" "$(sockets 8081 python3) $(sockets 8081 rootlesskit)" "1 1"
is "for clients in the child, too" "$(inside timeout 15 python3 "$work/tcp.py" first 127.0.0.1 81)" AF_INET
echo >&4
ok "that one ends, too: relayed" wait_for 20 relayed 8081
exec 4>&-
wait_for 10 gone "$service" || true

before=$(fds "$(plane)") before_parent=$(fds "$kit")
order "exec python3 $work/handover.py respawn 81 1100 >$home/tmp/respawn"
service=$pid
ok "sockets that come and go beside one that stays" wait_for 30 grep -q listens "$home/tmp/respawn"
is "have its clients" "$(timeout 60 python3 "$work/tcp.py" short 127.0.0.1 8081 20)" 20
is "and leave nothing but the first one's original" "$(fds "$(plane)") $(fds "$kit")" "$((before + 2)) $before_parent"
end "$service"
ok "relayed again" wait_for 50 relayed 8081
order "exec python3 $work/handover.py again 81 300 >$home/tmp/again"
service=$pid
ok "300 starts in a row find their place free" wait_for 20 says_so 127.0.0.1 8081 hello
is "and the last has a socket of the host's" "$(owner 8081)" "python3 rootlesskit"
end "$service"
ok "relayed again" wait_for 50 relayed 8081
is "no fd is left of them" "$(fds "$(plane)") $(fds "$kit")" "$before $before_parent"

# What nobody told us of: it comes in from outside.
start_as_user nsenter --target "$(cat "$state/child_pid")" --user --net --preserve-credentials \
    python3 "$work/tcp.py" who 0.0.0.0 81
service=$pid
ok "a service that is not the command's is relayed" wait_for 20 says_so 198.51.100.7 8081 198.51.100.7
is "by us" "$(owner 8081)" rootlesskit
kill -KILL "$service"

# A port that goes while a service has it.
order "exec python3 $work/tcp.py echo 0.0.0.0 86"
service=$pid
ok "an echo" wait_for 20 owned_by 8086 "python3 rootlesskit"
is "and a second port to it is relayed" "$(says 127.0.0.1 8090) $(owner 8090)" "x rootlesskit"
ctl remove-ports 7 >/dev/null
python3 "$work/tcp.py" hold 127.0.0.1 8086 >"$work/held" &
client=$!
wait_for 10 grep -q connected "$work/held" || true
is "removed" "$(ctl remove-ports 5)" 5
wait "$client" || true
is "its connection is reset" "$(tail -n 1 "$work/held")" reset
is "and it refuses" "$(says 127.0.0.1 8086)" ECONNREFUSED
isnt "the service is still there" "$(cat "/proc/$service/comm" 2>/dev/null)" ""
end "$service"
id=$(ctl add-ports 8086:86/tcp)
order "exec python3 $work/tcp.py echo 0.0.0.0 86"
service=$pid
ok "published again, with a service again" wait_for 20 owned_by 8086 "python3 rootlesskit"
mkfifo "$work/line"
exec 4<>"$work/line"
python3 "$work/tcp.py" talk 127.0.0.1 8086 <"$work/line" >"$work/talk" 3>&- 4>&- &
client=$!
echo one >&4
wait_for 10 grep -q one "$work/talk" || true
is "removed when its connections have ended" "$(ctl remove-ports --drain=1 "$id")" "$id"
is "it refuses" "$(says 127.0.0.1 8086)" ECONNREFUSED
echo two >&4
ok "a connection that came before goes on" wait_for 10 grep -q two "$work/talk"
exec 4>&-
wait "$client" || true
is "to its end" "$(tail -n 1 "$work/talk")" end
end "$service"

# Many at a time, and no trace of them; with every other way that a TCP port has.
stop_kit
begin --net=gateway --port-handover=all --publish-when-listening --pidns
order true
ctl list-ports >/dev/null
before=$(fds "$(plane)") before_parent=$(fds "$kit")
mapfile -t specs < <(for i in {1..200}; do echo "127.0.0.1:$((20000 + i)):$((20000 + i))/tcp"; done)
mapfile -t ids < <(ctl add-ports "${specs[@]}")
is "nobody listens: all refuse" "$(python3 "$work/listen.py" ask 127.0.0.1 20001 200)" "0 200"
order "exec python3 $work/listen.py many 127.0.0.1 20001 200 >$home/tmp/many"
ok "200 services" wait_for 20 grep -q ready "$home/tmp/many"
count() { ctl list-ports | grep -c itself || true; }
is "all have their own" "$(python3 "$work/listen.py" ask 127.0.0.1 20001 200) $(count)" "200 0 200"
service=$(pgrep -u "$user" -f 'listen.py many')
ticks() { awk '{print $14 + $15}' "/proc/$1/stat"; }
ticks_before=$(ticks "$kit")
sleep 2
note "200 sockets that are looked at cost $(($(ticks "$kit") - ticks_before)) ticks of 10 ms in 2 s"
end "$service"
none_handed() { [ "$(count)" = 0 ]; }
ok "all are gone" wait_for 20 none_handed
is "and refuse" "$(python3 "$work/listen.py" ask 127.0.0.1 20001 200)" "0 200"
ctl remove-ports "${ids[@]}" >/dev/null
is "no fd is left of them" "$(fds "$(plane)") $(fds "$kit")" "$before $before_parent"

# The end of the parent is that of all.
ctl add-ports 8081:81/tcp >/dev/null
order "exec python3 $work/tcp.py who 0.0.0.0 81"
ok "in a PID namespace of its own" wait_for 20 says_so 198.51.100.7 8081 198.51.100.7
kill -KILL "$kit"
ok "SIGKILL: no process is left" wait_for 20 family_gone
is "and no socket" "$(owner 8081)" ""

# Where the child's network has limits a socket is handed over only if it cannot connect.
python3 "$work/tcp.py" who 127.0.0.1 7001 &
at_end kill $!
lockable='
import ctypes, socket, struct
code = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0xffffffff))
socket.socket().setsockopt(socket.SOL_SOCKET, 26, struct.pack("HxxxxxxP", 1, ctypes.addressof(code)))
'
if as_user python3 -c "$lockable" 2>/dev/null; then
    skip "--port-handover where sockets cannot be locked" "this kernel lets everybody lock them"
else
    run as_user rootlesskit --net=none --port-driver=builtin --port-handover=all true
    like "not where sockets cannot be locked, and it says so" "$rc $err" \
        "^0 .*warning: --port-handover has no effect: this kernel does not let you lock a socket"
fi
# A capability lets it on every kernel.
mkdir "$work/capable"
cp "$(command -v rootlesskit)" "$work/capable/"
setcap cap_net_admin=ep "$work/capable/rootlesskit"
env_user+=("PATH=$work/capable:$PATH")
for limit in --disable-host-loopback --egress-deny=192.0.2.0/24; do
    rm -f "$home/tmp/escape"
    begin --net=gateway --port-handover=all "$limit" -p 8081:81/tcp
    order "exec python3 $work/handover.py escape 81 127.0.0.1:7001 >$home/tmp/escape"
    service=$pid
    ok "$limit: the service has a socket" wait_for 10 owned_by 8081 "python3 rootlesskit"
    says 127.0.0.1 8081 >/dev/null || true
    ok "it has tried" wait_for 20 gone "$service"
    is "$limit: and neither it nor a connection gets out by it" "$(tail -n 2 "$home/tmp/escape" | xargs)" \
        "kept in (TimeoutError) kept in (TimeoutError)"
    stop_kit
done
begin --net=gateway --port-handover=all -p 8081:81/tcp
order "exec python3 $work/tcp.py echo 0.0.0.0 81"
ok "a locked socket" wait_for 10 owned_by 8081 "python3 rootlesskit"
is "carries data" "$(timeout 60 python3 "$work/tcp.py" many 127.0.0.1 8081 200)" 200
stop_kit
done_testing
