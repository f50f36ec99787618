#!/bin/bash
# rootlessctl and rootlesskit-docker-proxy against rootlesskit-api.
set -eu
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

serve_from "$state"
export ROOTLESSKIT_STATE_DIR=$state
ctl=(rootlessctl "--socket=$state/api.sock")

# said NAME STATUS STDOUT COMMAND...
said() {
    local name=$1 want=$2 text=$3
    shift 3
    run "$@"
    if [ "$rc" = "$want" ] && [ "$out" = "$text" ]; then pass "$name"; else fail "$name" "$(rltest_said "$@")"; fi
}

# refused NAME TEXT COMMAND...: status 1, one line "error: ...TEXT...", nothing on stdout
refused() {
    local name=$1 text=$2
    shift 2
    run "$@"
    if [ "$rc" = 1 ] && [ -z "$out" ] && [ "$err" = "${err%%$'\n'*}" ] && [[ $err == "error: "*"$text"* ]]; then
        pass "$name"
    else
        fail "$name" "$(rltest_said "$@")"
    fi
}

said "list-ports: none" 0 "ID    PROTO    PARENTIP    PARENTPORT    CHILDIP    CHILDPORT    " "${ctl[@]}" list-ports
said "list-ports --json: none" 0 "" "${ctl[@]}" list-ports --json
said "add-ports: the ids" 0 $'1\n2' "${ctl[@]}" add-ports 127.0.0.1:8080:80/tcp "[::1]:8081:10.0.2.100:81/tcp6"
said "add-ports --json: the port" 0 '{"id":3,"spec":{"proto":"tcp","parentPort":18082,"childPort":82}}' "${ctl[@]}" add-ports --json 18082:82/tcp
# The bars show that the blanks behind the last column belong to it.
table=$(tr -d '|' <<'END'
ID    PROTO    PARENTIP     PARENTPORT    CHILDIP       CHILDPORT    |
1     tcp      127.0.0.1    8080                        80           |
2     tcp6     ::1          8081          10.0.2.100    81           |
3     tcp                   18082                       82           |
END
)
said "list-ports: a table" 0 "$table" "${ctl[@]}" list-ports
said "list-ports --json: one a line" 0 '{"id":1,"spec":{"proto":"tcp","parentIP":"127.0.0.1","parentPort":8080,"childPort":80}}
{"id":2,"spec":{"proto":"tcp6","parentIP":"::1","parentPort":8081,"childPort":81,"childIP":"10.0.2.100"}}
{"id":3,"spec":{"proto":"tcp","parentPort":18082,"childPort":82}}' "${ctl[@]}" list-ports --json
said "remove-ports: the ids" 0 $'3\n1' rootlessctl remove-ports 3 1
said "info" 0 "\
- REST API version: 1.1.2
- Implementation version: $(rootlessctl --version | sed 's/.* //')
- State Directory: $state
- Child PID: 4242
- Network Driver: gateway
  - DNS: [10.0.2.3]
  - IP: 10.0.2.100
- Port Driver: builtin
  - Supported protocols: [tcp tcp4]" rootlessctl info
ok "info --json: indented" sh -c "rootlessctl info --json | grep -q '^    \"childPID\": 4242'"

said "flows: a table" 0 "$(cat <<'END'
PROTO  DIRECTION  STATE       PORT  CHILD             REMOTE                SENT  RECEIVED   AGE  IDLE  DIALLED
tcp    outbound   open           -  10.0.2.100:40000  10.0.2.2:80           100B      5.0G    1m    1s  127.0.0.1:80
tcp    outbound   held           -  10.0.2.100:40001  -                       0B        0B    0s    0s  -
udp    outbound   mapped         -  10.0.2.100:5353   -                       0B        0B    0s    0s  -
tcp    published  ending         7  -                 [2001:db8::1]:50000     0B        0B    0s    0s  -
udp    published  connecting  4294967295  -                 -                     9.2E      9.2E  49710d  49710d  -
END
)" "${ctl[@]}" flows
is "flows --json: one a line" "$("${ctl[@]}" flows --json | wc -l)" 5
like "metrics: the text itself" "$("${ctl[@]}" metrics)" $'^# TYPE .*\n# EOF$'
said "top: the busiest first" 0 "$(cat <<'END'
5 flows (3 TCP, 2 UDP), 2.1G/s sent, 2.2G/s received
 SENT/s  RECV/s    SENT RECEIVED  PROTO STATE       AGE  CHILD AND REMOTE
   2.1G    2.1G    9.2E     9.2E  udp   connecting 49710d  - <- -
     1B     80M    100B     5.0G  tcp   open         1m  10.0.2.100:40000 -> 10.0.2.2:80 (127.0.0.1:80)
     0B      0B      0B       0B  tcp   held         0s  10.0.2.100:40001 -> -
     0B      0B      0B       0B  udp   mapped       0s  10.0.2.100:5353 -> -
     0B      0B      0B       0B  tcp   ending       0s  - <- [2001:db8::1]:50000
END
)" "${ctl[@]}" top -c 1
refused "top: more often than it can" "--interval" "${ctl[@]}" top --interval=0

run "${ctl[@]}" add-ports 8090:80/tcp 8081:80/tcp 8091:80/tcp
is "add-ports: ends at the first error, keeps the ports before it" "$rc $out $err" "1 4 error: conflict with ID 2"
before=$(rootlessctl list-ports --json)
refused "add-ports: a slip in the last" 'port spec "8080" is not of the form' "${ctl[@]}" add-ports 8093:80/tcp 8080
refused "remove-ports: a slip in the last" '"x" is not a whole number' "${ctl[@]}" remove-ports 4 x
is "nothing was changed by that" "$(rootlessctl list-ports --json)" "$before"
run "${ctl[@]}" remove-ports 99 4
is "remove-ports: ends at the first error" "$rc $out $(rootlessctl list-ports --json)" "1  $before"
refused "remove-ports: an unknown id" "unknown id: 99" "${ctl[@]}" remove-ports 99
refused "remove-ports: no id" "no ID specified" "${ctl[@]}" remove-ports
refused "remove-ports: a word" '"x" is not a whole number' "${ctl[@]}" remove-ports x
refused "add-ports: no port" "no port specified" "${ctl[@]}" add-ports
refused "add-ports: no port spec" 'port spec "8080" is not of the form' "${ctl[@]}" add-ports 8080
refused "a command it does not have" "unknown command list" "${ctl[@]}" list
refused "an option it does not have" "unknown option --jso" "${ctl[@]}" info --jso
refused "a word too many" "unexpected argument x" "${ctl[@]}" list-ports x
for words in "" help h --help; do
    # shellcheck disable=SC2086
    ok "what it can do: rootlessctl $words" sh -c "rootlessctl $words | grep -q add-ports"
done
refused "no socket there" "stat $work/none/api.sock: no such file or directory" rootlessctl --socket "$work/none/api.sock" info
like "and what to do" "$err" "--socket or .ROOTLESSKIT_STATE_DIR names another"
refused "no socket known" "please specify --socket" env -u ROOTLESSKIT_STATE_DIR rootlessctl info
touch "$work/file"
refused "a file that is no socket" "cannot reach rootlesskit at $work/file" rootlessctl "--socket=$work/file" info
fails "a full disk is an error" sh -c "rootlessctl list-ports >/dev/full"

mkdir "$work/full" "$work/empty"
serve_from "$work/full" full
like "info: two name servers" "$(rootlessctl --socket "$work/full/api.sock" info)" $'\n  - DNS: \\[10.0.2.3 fd00::3\\]\n  - IP: 10.0.2.100\n'
ok "info --json: what text does not show" sh -c "rootlessctl --socket $work/full/api.sock info --json |
    grep -A9 networkDriver | xargs | grep -q 'dynamicChildIP: true, ipv6: true'"
export ROOTLESSKIT_STATE_DIR=$work/full
rootlessctl add-ports 1:1/tcp 2:2/tcp 3:3/tcp 4:4/udp >"$work/.out"
table=$(tr -d '|' <<'END'
ID    PROTO    PARENTIP    PARENTPORT    CHILDIP    CHILDPORT    LISTENING    |
1     tcp                  1                        1            yes          |
2     tcp                  2                        2            unknown      |
3     tcp                  3                        3                         |
4     udp                  4                        4            no           |
END
)
said "list-ports: who listens, where that is known" 0 "$table" rootlessctl list-ports
is "list-ports --json: true, null, not said, false" "$(rootlessctl list-ports --json | sed 's/.*"childPort":[0-9]*}//' | xargs)" \
    ",listening:true} ,listening:null} } ,listening:false}"
said "remove-ports --drain: the ids" 0 $'1\n2' rootlessctl remove-ports --drain=3 1 2
said "remove-ports --drain: at once" 0 3 rootlessctl remove-ports --drain=0 3
said "remove-ports --drain: 30 s" 0 4 rootlessctl remove-ports --drain 4
refused "remove-ports --drain: too long" "--drain" rootlessctl remove-ports --drain=86401 5
refused "remove-ports --drain: no number" "--drain" rootlessctl remove-ports --drain= 5
refused "remove-ports --drain: an unknown id" "unknown id: 9" rootlessctl remove-ports --drain 9
export ROOTLESSKIT_STATE_DIR=$work/state
serve_from "$work/empty" empty
said "info: no drivers" 0 "\
- REST API version: 1.1.2
- Implementation version: $(rootlessctl --version | sed 's/.* //')
- State Directory: $work/empty
- Child PID: 4242" rootlessctl --socket "$work/empty/api.sock" info
for command in list-ports "add-ports 8080:80/tcp" "remove-ports 1"; do
    # shellcheck disable=SC2086
    refused "no port driver: $command" "no PortDriver is available" rootlessctl --socket="$work/empty/api.sock" $command
done

# RootlessKit's own client on one server, ours on another: the same words, the same answers.
theirs=/usr/bin/rootlessctl
if "$theirs" --version 2>/dev/null | grep -q '^rootlessctl version [1-3]\.'; then
    mkdir "$work/theirs" "$work/ours"
    serve_from "$work/theirs"
    serve_from "$work/ours"
    while read -r words; do
        # shellcheck disable=SC2086
        run "$theirs" --socket "$work/theirs/api.sock" $words
        want="$rc|${out//theirs/ours}|$err"
        # shellcheck disable=SC2086
        run rootlessctl --socket "$work/ours/api.sock" $words
        is "as RootlessKit's: $words" "$rc|$out|$err" "$want"
    done <<'END'
list-ports
list-ports --json
add-ports 127.0.0.1:8080:80/tcp [::1]:8081:[::1]:81/tcp6 0.0.0.0:8082:10.0.2.100:82/tcp4
add-ports --json 0.0.0.0:8083:83/tcp
add-ports -json 127.0.0.1:8084:84/tcp 127.0.0.1:8085:85/tcp
add-ports 127.0.0.1:8086:86/tcp 127.0.0.1:8080:80/tcp 127.0.0.1:8087:87/tcp
list-ports --json=false
info
info --json=false
remove-ports 2 99 1
remove-ports 3 1
remove-ports -- 4
add-ports
add-ports --json
remove-ports
list-ports --json=true
--debug list-ports
--debug=false remove-ports 99
END
else
    skip "as RootlessKit's" "no rootlessctl of RootlessKit in /usr/bin"
fi

# What is on PATH for rootlesskit-docker-proxy: the real one, from Docker.
real=$(PATH=$PATH:/usr/sbin command -v docker-proxy) || true
if [ -z "$real" ]; then
    skip "rootlesskit-docker-proxy" "no docker-proxy (docker.io)"
    done_testing
fi
[ "$(dirname "$real")" = "$bin" ] || ln -s "$real" "$bin/docker-proxy"
port=$(free_port)
flags=(-proto tcp -host-ip 0.0.0.0 -host-port "$port" -container-ip 127.0.0.1 -container-port 1)

ports() {
    rootlessctl list-ports --json
}
no_ports() {
    [ -z "$(ports)" ]
}
nobody_listens() {
    [ -z "$(ss -ltnH "sport = :$port")" ]
}
in_child=()
start_proxy() {
    : >"$work/result"
    "${in_child[@]}" rootlesskit-docker-proxy "${flags[@]}" 3>"$work/result" >/dev/null 2>"$work/proxy.log" &
    proxy=$!
    wait_for 20 test -s "$work/result" || true
}
state=$work/state
rootlessctl remove-ports 2 4 >"$work/.out"
start_proxy
is "docker-proxy: the result dockerd waits for" "$(cat "$work/result")" 0
like "docker-proxy: the port leads to the child's loopback" "$(ports)" "^\{\"id\":[0-9]+,\"spec\":\{\"proto\":\"tcp4\",\"parentIP\":\"0.0.0.0\",\"parentPort\":$port,\"childPort\":$port,\"childIP\":\"127.0.0.1\"\}\}$"
is "docker-proxy: the real one listens there" "$(ss -ltnH "sport = :$port" | awk '{print $4}')" "127.0.0.1:$port"
kill -INT "$proxy"
run wait "$proxy"
is "SIGINT: a clean end" "$rc" 0
ok "SIGINT: the port is free again" no_ports
ok "SIGINT: nobody listens" wait_for 20 nobody_listens

start_proxy
kill -KILL "$(pgrep -P "$proxy" -x docker-proxy)"
run wait "$proxy"
isnt "the real one is killed: it ends, too" "$rc" 0
ok "the real one is killed: the port is free again" no_ports

start_proxy
isnt "it is killed: before, the port is there" "$(ports)" ""
kill -KILL "$proxy"
ok "it is killed: the real one ends, too" wait_for 30 nobody_listens
ok "it is killed: the port is free again" wait_for 30 no_ports

start_proxy
keeper=$(pgrep -P "$proxy" -x rootlesskit-doc)
is "nothing of dockerd's stays open in who keeps the port" \
    "$(find "/proc/$keeper/fd" -mindepth 1 -printf '%l\n' | grep -vE '^socket:|/dev/null|proxy.log' || true)" ""
kill -INT -- "$proxy" "$keeper"
run wait "$proxy"
is "SIGINT to both, as from a terminal: a clean end" "$rc" 0
ok "SIGINT to both: the port is free again" no_ports

: >"$work/result"
(rootlesskit-docker-proxy "${flags[@]}" 3>"$work/result" & sleep 60) 2>>"$work/proxy.log" &
daemon=$!
wait_for 20 test -s "$work/result" || true
isnt "dockerd is killed: before, the port is there" "$(ports)" ""
kill -KILL "$daemon"
ok "dockerd is killed: the port is free again" wait_for 30 no_ports
ok "dockerd is killed: nobody listens" wait_for 30 nobody_listens

rootlessctl add-ports "127.0.0.1:$port:80/tcp" >"$work/.out"
start_proxy
run wait "$proxy"
like "a port in use: dockerd is told" "$(cat "$work/result")" $'^1\nconflict with ID'
is "a port in use: status 1" "$rc" 1
ok "a port in use: nobody listens" nobody_listens
rootlessctl remove-ports "$(ports | grep -o '"id":[0-9]*' | tr -dc 0-9)" >"$work/.out"

flags=(-proto udp -host-ip 0.0.0.0 -host-port "$port" -container-ip 127.0.0.1 -container-port 1)
start_proxy
run wait "$proxy"
is "a protocol the driver lacks: the container starts all the same" "$rc $(cat "$work/result")" "0 0"
like "a protocol the driver lacks: a warning" "$(cat "$work/proxy.log")" 'builtin has no udp for 0.0.0.0: port [0-9]+ is not published'
ok "a protocol the driver lacks: no port" no_ports

# proxied NAME SPEC-ERE FLAG...: what the flags publish
proxied() {
    local name=$1 ere=$2
    flags=("${@:3}")
    start_proxy
    like "$name" "$(ports)" "\"spec\":\{$ere\}"
    kill -INT "$proxy"
    run wait "$proxy"
    is "$name: a clean end" "$rc $(cat "$work/result")" "0 0"
}
proxied "flags of Go's: two dashes and =" '"proto":"tcp4","parentIP":"127.0.0.1",.*"childIP":"127.0.0.1"' \
    --proto=tcp --host-ip=127.0.0.1 "--host-port=$port" --container-ip=127.0.0.1 --container-port=80
proxied "no host address: IPv4" "\"proto\":\"tcp4\",\"parentPort\":$port,.*" -host-port "$port" -container-ip 127.0.0.1 -container-port 80
proxied "an IPv4 address in IPv6's form" '"proto":"tcp4","parentIP":"::ffff:127.0.0.1",.*"childIP":"127.0.0.1"' \
    -host-ip ::ffff:127.0.0.1 -host-port "$port" -container-ip 127.0.0.1 -container-port 80

flags=(-proto tcp -host-ip 0.0.0.0 -host-port "$port" -container-ip 127.0.0.1 -bogus)
start_proxy
run wait "$proxy"
like "an unknown flag: dockerd is told" "$(cat "$work/result")" $'^1\nunknown flag -bogus'
fails "by hand, without fd 3" rootlesskit-docker-proxy -proto tcp
like "it says who runs it" "$err" 'dockerd'


# In a network of its own, which has the child's address.
in_child=(unshare --net sh -c 'ip link set lo up && ip address add 10.0.2.100/32 dev lo && exec "$@"' sh)
export ROOTLESSKIT_STATE_DIR=$work/full
proxied "a driver that forwards to no loopback" '.*"childIP":"10.0.2.100"' \
    -proto tcp -host-ip 0.0.0.0 -host-port "$port" -container-ip 127.0.0.1 -container-port 80
proxied "UDP, IPv6" '"proto":"udp6","parentIP":"::",.*"childIP":"10.0.2.100"' \
    -proto udp -host-ip :: -host-port "$port" -container-ip 127.0.0.1 -container-port 80
in_child=()
export ROOTLESSKIT_STATE_DIR=$work/empty
flags=(-proto tcp -host-ip 127.0.0.1 -host-port "$port" -container-ip 127.0.0.1 -container-port 1)
start_proxy
is "no port driver: it becomes the real one" "$(cat "$work/result") $(cat "/proc/$proxy/comm")" "0 docker-proxy"
kill -INT "$proxy"
done_testing
