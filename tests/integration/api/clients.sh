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
- REST API version: 1.1.1
- Implementation version: $(rootlessctl --version | sed 's/.* //')
- State Directory: $state
- Child PID: 4242
- Network Driver: gateway
  - DNS: [10.0.2.3]
  - IP: 10.0.2.100
- Port Driver: builtin
  - Supported protocols: [tcp tcp4]" rootlessctl info
ok "info --json: indented" sh -c "rootlessctl info --json | grep -q '^    \"childPID\": 4242'"

run "${ctl[@]}" add-ports 8090:80/tcp 8081:80/tcp 8091:80/tcp
is "add-ports: ends at the first error, keeps the ports before it" "$rc $out $err" "1 4 error: conflict with ID 2"
refused "remove-ports: an unknown id" "unknown id: 99" "${ctl[@]}" remove-ports 99
refused "remove-ports: no id" "no ID specified" "${ctl[@]}" remove-ports
refused "remove-ports: a word" '"x" is not a whole number' "${ctl[@]}" remove-ports x
refused "add-ports: no port" "no port specified" "${ctl[@]}" add-ports
refused "add-ports: no port spec" 'port spec "8080" is not of the form' "${ctl[@]}" add-ports 8080
refused "a command it does not have" "unknown command list" "${ctl[@]}" list
refused "an option it does not have" "unknown option --jso" "${ctl[@]}" info --jso
refused "a word too many" "unexpected argument x" "${ctl[@]}" list-ports x
refused "no command" "no command specified" rootlessctl
refused "no socket there" "stat $work/none/api.sock" rootlessctl --socket "$work/none/api.sock" info
refused "no socket known" "please specify --socket" env -u ROOTLESSKIT_STATE_DIR rootlessctl info
touch "$work/file"
refused "a file that is no socket" "cannot reach rootlesskit at $work/file" rootlessctl "--socket=$work/file" info
fails "a full disk is an error" sh -c "rootlessctl list-ports >/dev/full"

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
start_proxy() {
    : >"$work/result"
    rootlesskit-docker-proxy "${flags[@]}" 3>"$work/result" 2>"$work/proxy.log" &
    proxy=$!
    wait_for 20 test -s "$work/result" || true
}
rootlessctl remove-ports 2 4 >"$work/.out"

start_proxy
is "docker-proxy: the result dockerd waits for" "$(cat "$work/result")" 0
like "docker-proxy: the port leads to the child's loopback" "$(ports)" "^\{\"id\":[0-9]+,\"spec\":\{\"proto\":\"tcp4\",\"parentIP\":\"0.0.0.0\",\"parentPort\":$port,\"childPort\":$port,\"childIP\":\"127.0.0.1\"\}\}$"
is "docker-proxy: the real one listens there" "$(ss -ltnH "sport = :$port" | awk '{print $4}')" "127.0.0.1:$port"
kill -INT "$proxy"
run wait "$proxy"
is "SIGINT: a clean end" "$rc" 0
ok "SIGINT: the port is free again" no_ports
ok "SIGINT: nobody listens" wait_for 5 nobody_listens

start_proxy
kill -KILL "$(pgrep -P "$proxy")"
run wait "$proxy"
isnt "the real one is killed: it ends, too" "$rc" 0
ok "the real one is killed: the port is free again" no_ports

start_proxy
kill -KILL "$proxy"
ok "it is killed: the real one ends, too" wait_for 10 nobody_listens
ok "the port it left can be taken away" rootlessctl remove-ports "$(ports | grep -o '"id":[0-9]*' | tr -dc 0-9)"

: >"$work/result"
(rootlesskit-docker-proxy "${flags[@]}" 3>"$work/result" & sleep 60) 2>>"$work/proxy.log" &
daemon=$!
wait_for 20 test -s "$work/result" || true
isnt "dockerd is killed: before, the port is there" "$(ports)" ""
kill -KILL "$daemon"
ok "dockerd is killed: the port is free again" wait_for 10 no_ports
ok "dockerd is killed: nobody listens" wait_for 10 nobody_listens

rootlessctl add-ports "127.0.0.1:$port:80/tcp" >"$work/.out"
start_proxy
run wait "$proxy"
like "a port in use: dockerd is told" "$(cat "$work/result")" $'^1\nconflict with ID'
is "a port in use: status 1" "$rc" 1
ok "a port in use: nobody listens" nobody_listens
rootlessctl remove-ports "$(ports | grep -o '"id":[0-9]*' | tr -dc 0-9)" >"$work/.out"

flags=(-proto udp -host-ip 0.0.0.0 -host-port "$port" -container-ip 127.0.0.1 -container-port 1)
start_proxy
is "a protocol the driver lacks: the container starts all the same" "$(cat "$work/result")" 0
like "a protocol the driver lacks: a warning" "$(cat "$work/proxy.log")" 'not published'
ok "a protocol the driver lacks: no port" no_ports
kill -TERM "$proxy"
run wait "$proxy"

flags=(-proto tcp -host-ip 0.0.0.0 -host-port "$port" -container-ip 127.0.0.1 -bogus)
start_proxy
run wait "$proxy"
like "an unknown flag: dockerd is told" "$(cat "$work/result")" $'^1\nunknown flag -bogus'
fails "by hand, without fd 3" rootlesskit-docker-proxy -proto tcp
like "it says who runs it" "$err" 'dockerd'

mkdir "$work/empty"
serve_from "$work/empty" empty
export ROOTLESSKIT_STATE_DIR=$state
flags=(-proto tcp -host-ip 127.0.0.1 -host-port "$port" -container-ip 127.0.0.1 -container-port 1)
start_proxy
is "no port driver: it becomes the real one" "$(cat "$work/result") $(cat "/proc/$proxy/comm")" "0 docker-proxy"
kill -INT "$proxy"
done_testing
