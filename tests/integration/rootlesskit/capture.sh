#!/bin/bash
# rootlessctl capture: what tshark finds in the child's packets; whom it serves, and what it holds.
set -eu
# shellcheck disable=SC2034 # for lib.sh
own_network=1
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
command -v tshark >/dev/null || skip_all "no tshark"
use_programs
install -m 644 "$(dirname "$0")"/*.py "$work/"
make_kit_user capture
file=$home/packets

listening() { ss -Hln "sport = :$1" | grep -q .; }
in_child() { as_user nsenter -U -n --preserve-credentials -t "$(cat "$state/child_pid")" "$@"; }
# begin WORD...: a capture in the background; returns when it takes packets. Its words are in $work/said.
begin() {
    rm -f "$file"
    start_as_user rootlessctl --socket "$state/api.sock" capture -w "$file" "$@" 2>"$work/said"
    capture=$pid
    wait_for 30 begun || note "$(cat "$work/said")"
}
# The head of the file is written once the filter is in place.
begun() { [ -s "$file" ]; }
end() {
    kill -INT "$capture"
    run wait "$capture"
}
packets() { tshark -n -r "$file" "$@" 2>/dev/null; }

mkdir "$work/www"
head -c 20M /dev/zero >"$work/www/zeros"
echo hello >"$work/www/hello"
(cd "$work/www" && exec python3 -m http.server --bind 127.0.0.1 8000) >/dev/null 2>&1 &
wait_for 10 listening 8000
start_kit --net=gateway --port-driver=builtin sh -c "cd $work/www && python3 -m http.server --bind :: 80"
fetch() { in_child curl -s -o "$work/null" "http://10.0.2.2:8000/$1"; }
serves_inside() { in_child curl -gs "http://[::1]:80/hello" | grep -q hello; }
install -o "$uid" -m 644 /dev/null "$work/null"
ok "the service inside is there" wait_for 30 serves_inside

begin
is "it has no capability" "$(grep -E '^Cap(Inh|Prm|Eff|Amb)' "/proc/$capture/status" | cut -f2 | sort -u)" 0000000000000000
is "nor can it get one; its system calls are filtered" "$(grep -E '^(NoNewPrivs|Seccomp):' "/proc/$capture/status" | cut -f2 | xargs)" "1 2"
is "it has left the file system" "$(find "/proc/$capture/root/" -mindepth 1 -name etc 2>/dev/null | wc -l)" 0
is "the file is its user's alone" "$(stat -c '%a %U' "$file")" "600 $user"
fetch hello
in_child curl -gs "http://[::1]:80/hello?v6" >/dev/null
end
like "SIGINT: a good end, with counts" "$rc $(cat "$work/said")" "^0 [1-9][0-9]* packets captured, 0 dropped by the kernel$"
is "tshark finds the request" "$(packets -d tcp.port==8000,http -Y 'http.request.uri == "/hello"' -T fields -e ip.src -e ip.dst -e http.request.method | xargs)" "10.0.2.100 10.0.2.2 GET"
is "and its answer" "$(packets -d tcp.port==8000,http -Y 'http.response.code == 200' -T fields -e ip.src | xargs)" 10.0.2.2
is "IPv6, on another interface" "$(packets -Y 'ipv6 && http.request.uri == "/hello?v6"' -T fields -e ipv6.src -e frame.interface_name | sort -u | xargs)" "::1 lo"
is "interfaces bear their names" "$(packets -T fields -e frame.interface_name | sort -u | xargs)" "lo tap0"
run capinfos -M "$file"
like "capinfos: whole, in nanoseconds" "$rc $out" "^0 .*pcapng.*timestamp precision: +nanoseconds"
is "capinfos: as many as it said" "$(capinfos -TMc "$file" | tail -n 1 | cut -f2)" "$(cut -d' ' -f1 "$work/said")"
like "drops are at the end" "$out" "Number of stat entries = 1"

begin -i tap0 tcp port 8000
fetch zeros
end
is "one interface, a filter: nothing else" "$(packets -Y '!(tcp.port == 8000)' | wc -l) $(packets -T fields -e frame.interface_name | sort -u)" "0 tap0"
ok "GSO: packets longer than any link's are whole" [ "$(packets -T fields -e frame.cap_len | sort -n | tail -n 1)" -gt 20000 ]
is "none is cut" "$(packets -Y 'frame.cap_len != frame.len' | wc -l)" 0
is "20 MiB are in it" "$(($(packets -q -z conv,tcp -o tcp.desegment_tcp_streams:FALSE -T fields -e tcp.len -Y 'tcp.srcport == 8000' | awk '{s += $1} END {print s}') >= 20 << 20))" 1

begin -c 3 --snaplen=60 -i tap0 tcp
fetch hello
run wait "$capture"
is "-c: ends by itself" "$rc $(cat "$work/said")" "0 3 packets captured, 0 dropped by the kernel"
is "--snaplen: the head of each" "$(packets -T fields -e frame.cap_len | sort -u)" 60
head -c 1M /dev/zero >"$file"
chmod 644 "$file"
anew() { [ "$(stat -c %s "$file")" -lt 1000000 ]; }
start_as_user rootlessctl --socket "$state/api.sock" capture -w "$file" -c 1 2>"$work/said"
capture=$pid
wait_for 30 anew
wait_for 30 begun
fetch hello
run wait "$capture"
is "a file that was there is made anew, and its user's alone" "$rc $(stat -c %a "$file") $(packets | wc -l)" "0 600 1"

# To a pipe, live.
mkfifo "$work/pipe"
chown "$user" "$work/pipe"
tshark -l -n -i "$work/pipe" -T fields -e http.request.uri -Y http.request -d tcp.port==8000,http >"$work/live" 2>"$work/live.err" &
tshark=$!
start_as_user rootlessctl --socket "$state/api.sock" capture -w - tcp >"$work/pipe" 2>"$work/said"
capture=$pid
live() { fetch hello; grep -q hello "$work/live"; }
ok "-w -: tshark shows a request while it runs" wait_for 30 live
kill -TERM "$capture"
run wait "$capture"
is "SIGTERM: a good end" "$rc" 0
run wait "$tshark"
is "and a whole file to the end" "$rc" 0
(ctl capture -w - 2>"$work/said" || echo "$? $(cat "$work/said")" >"$work/ended") | head -c 10 >/dev/null &
noise() { fetch hello; test -s "$work/ended"; }
wait_for 20 noise || true
like "a reader that goes ends it" "$(cat "$work/ended")" "^1 .*cannot write packets: Broken pipe"

# A disk that is full: the file ends behind a whole packet.
mkdir "$work/small"
mount -t tmpfs -o size=256k,mode=777 small "$work/small"
file=$work/small/packets
begin -i tap0
fetch zeros
run wait "$capture"
like "a full disk ends it with the reason" "$rc $(cat "$work/said")" "^1 .*cannot write packets: No space left"
run capinfos -c "$file"
like "and leaves a whole file" "$rc $out" "^0 .*Number of packets: +[1-9]"
file=$home/packets

refused() { # NAME ERE WORD...
    local name=$1 ere=$2
    shift 2
    run as_user timeout -s KILL 20 rootlessctl --socket "$state/api.sock" capture "$@"
    like "refused: $name" "$rc $err" "^1 error: $ere"
}
refused "no file" "-w FILE must say" tcp
refused "a folder that is not there" "cannot open /none/file: No such file" -w /none/file
refused "no interface" "the child has no interface none0" -w "$file" -i none0
refused "no filter" 'filter "tcp prt 80": .*syntax error' -w "$file" tcp prt 80
make_user other none
run as_user rootlessctl --socket "$work/run-capture/kit/api.sock" capture -w "$home/packets"
is "refused: another user" "$rc" 1
use_user capture
fails "by hand it says who starts it" rootlesskit-capture any 0 100 ""
like "and what" "$err" "started by rootlessctl"
timeout -s KILL 30 rootlessctl --socket "$state/api.sock" capture -w "$work/roots" -c 1 2>"$work/said" &
capture=$!
noise() { fetch hello; [ -s "$work/said" ]; }
wait_for 20 noise || true
run wait "$capture"
is "root may" "$rc" 0

begin
stop_kit
run wait "$capture"
like "the child ends: so does the capture, well" "$rc $(cat "$work/said")" "^0 .*packets captured"

start_kit --net=gateway --detach-netns sleep 1000
state_netns() { as_user nsenter -U -m --preserve-credentials -t "$(cat "$state/child_pid")" nsenter -n"$state/netns" "$@"; }
begin -i tap0
state_netns curl -s http://10.0.2.2:8000/hello >/dev/null
end
is "--detach-netns: the network beside the command" "$(packets -d tcp.port==8000,http -Y http.request | wc -l)" 1
stop_kit
start_kit sleep 1000
refused "--net=host" "the child has no network of its own" -w "$file"
stop_kit
done_testing
