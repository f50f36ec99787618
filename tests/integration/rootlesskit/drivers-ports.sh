#!/bin/bash
# Ports published by the programs of others: slirp4netns and pesto.
# PASTA=PATH PESTO=PATH try other ones; pesto needs passt 2026_05_07 or newer.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
use_programs
install -m 644 "$(dirname "$0")"/*.py "$work/"
cat >"$work/udp.py" <<'END'
import socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("0.0.0.0", int(sys.argv[1])))
while True:
    server.sendto(b"hello", server.recvfrom(100)[1])
END
make_kit_user ports
pasta=${PASTA:-pasta} pesto=${PESTO:-pesto}
read -r p1 p2 p3 p4 <<<"$(for _ in 1 2 3 4; do free_port; done | xargs)"
first() { python3 "$work/tcp.py" first "$1" "$2"; }
answers() { [ "$(first "$1" "$2")" = hello ]; }
udp_answers() { [ "$(echo x | timeout 1 socat -t 0.3 - "udp:127.0.0.1:$1")" = hello ]; }

check_driver() { # NAME LAST-WORDS-OF-A-BUSY-PORT OPTION...
    local name=$1 busy=$2
    shift 2
    servers="python3 $work/tcp.py hello 0.0.0.0 81 & python3 $work/udp.py 82 & python3 $work/udp.py 83 & wait"
    start_kit "$@" -p "127.0.0.1:$p1:81/tcp" -p "127.0.0.1:$p2:82/udp" sh -c "$servers"
    ok "$name: TCP" wait_for 30 answers 127.0.0.1 "$p1"
    ok "$name: UDP" wait_for 30 udp_answers "$p2"
    is "$name: list-ports" "$(ctl list-ports --json | head -n 1)" \
        '{"id":1,"spec":{"proto":"tcp","parentIP":"127.0.0.1","parentPort":'"$p1"',"childPort":81}}'
    is "$name: add-ports" "$(ctl add-ports "$p3:10.0.2.100:81/tcp4" "127.0.0.1:$p4:83/udp4" | xargs)" "3 4"
    ok "$name: every address" wait_for 20 answers 127.0.0.1 "$p3"
    ok "$name: UDP, added" wait_for 20 udp_answers "$p4"
    is "$name: a port of one address is not another's" "$(first 127.0.0.2 "$p1")" ECONNREFUSED
    like "$name: info" "$(ctl info)" "Port Driver: $name.*tcp tcp4"
    is "$name: the child's loopback is none of its" \
        "$(ctl info --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["portDriver"]["disallowLoopbackChildIP"])')" True
    run ctl add-ports "127.0.0.1:7:127.0.0.1:81/tcp"
    like "$name: so it is refused" "$err" "ChildIP 127.0.0.1: the $name port driver"
    run ctl add-ports "127.0.0.1:$p4:81/sctp"
    like "$name: a protocol it has not" "$err" "unsupported port protocol sctp"
    taken=$(free_port)
    python3 "$work/tcp.py" hello 127.0.0.1 "$taken" &
    wait_for 20 answers 127.0.0.1 "$taken"
    run ctl add-ports "127.0.0.1:$taken:81/tcp"
    is "$name: a port that another holds is refused" "$rc" 1
    like "$name: with the reason" "$err" "$busy"
    is "$name: remove-ports" "$(ctl remove-ports 1 4 | xargs)" "1 4"
    is "$name: nobody listens" "$(first 127.0.0.1 "$p1")" ECONNREFUSED
    ok "$name: the others go on" answers 127.0.0.1 "$p3"
    is "$name: the same again" "$(ctl add-ports "127.0.0.1:$p1:81/tcp")" 5
    ok "$name: answers" wait_for 20 answers 127.0.0.1 "$p1"
    stop_kit
    is "$name: closed at the end" "$(first 127.0.0.1 "$p3")" ECONNREFUSED
    is "$name: no state directory" "$(state_dirs; ls "$state" 2>/dev/null)" ""
}

if command -v slirp4netns >/dev/null; then
    check_driver slirp4netns "address already in use" --net=slirp4netns --port-driver=slirp4netns
    # shellcheck disable=SC2016
    start_kit --net=slirp4netns --port-driver=slirp4netns --detach-netns -p "127.0.0.1:$p1:81/tcp" \
        sh -c 'exec nsenter -n"$ROOTLESSKIT_STATE_DIR/netns" python3 '"$work/tcp.py hello 0.0.0.0 81"
    ok "slirp4netns, detached" wait_for 30 answers 127.0.0.1 "$p1"
    run ctl add-ports "[::1]:$p2:81/tcp"
    like "slirp4netns: IPv6 is refused, with what to do" "$err" "forwards IPv4 alone; use --port-driver=builtin"
    run ctl add-ports "127.0.0.1:80:81/tcp"
    [ "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" -le 80 ] ||
        like "slirp4netns: a privileged port, with what to do" "$err" "ip_unprivileged_port_start"
    stop_kit
else
    skip "slirp4netns" "it is not installed"
fi

if command -v "$pesto" >/dev/null && command -v "$pasta" >/dev/null; then
    check_driver pesto "address already in use" --net=pasta --port-driver=pesto --pasta-binary="$pasta" --pesto-binary="$pesto"
else
    skip "pesto" "it is not installed: it comes with passt 2026_05_07 and newer"
    run as_user rootlesskit --net=pasta --port-driver=pesto true
    is "pesto missing: refused" "$rc" 1
    like "pesto missing: one line" "$(tail -n 1 <<<"$err")" "pesto is not installed: .*passt 2026_05_07.*--port-driver=implicit or builtin"
    if command -v pasta >/dev/null; then
        run as_user rootlesskit --net=pasta --port-driver=pesto --pesto-binary=/bin/true true
        like "an old pasta: one line" "$(tail -n 1 <<<"$err")" "pasta is too old for --port-driver=pesto, which needs passt 2026_05_07"
    fi
fi
done_testing
