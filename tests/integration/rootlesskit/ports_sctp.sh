#!/bin/bash
# Published SCTP ports; where the kernel has none, what is said of it. tests/vm runs it with Debian's kernel.
set -eu
# shellcheck disable=SC2034 # for lib.sh
own_network=1
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
use_programs
install -m 644 "$(dirname "$0")"/*.py "$work/"
make_kit_user sctp
has_sctp() { python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)' 2>/dev/null; }

if ! has_sctp; then
    start_kit --net=none --port-driver=builtin sleep 600
    for proto in sctp sctp4 sctp6; do
        run ctl add-ports "4000:3000/$proto"
        is "no SCTP in this kernel: $proto is refused" "$rc" 1
        like "with the reason and what to do" "$err" "^error: cannot listen on .*:4000 \($proto\): this kernel has no SCTP.*modprobe sctp"
    done
    is "nothing is published" "$(ctl list-ports --json)" ""
    stop_kit
    run as_user rootlesskit --net=none --port-driver=builtin -p 4000:3000/sctp true
    like "the same at the start" "$rc $err" "^1 .*this kernel has no SCTP"
    skip "published SCTP ports" "this kernel has no SCTP"
    done_testing
fi

# In the child: echo on 3000 and [::1]:3001, count on 3002, one that begins to read late on 3003,
# one that takes two streams on 3004.
# shellcheck disable=SC2016
servers='cd '"$work"'; python3 sctp.py echo 127.0.0.1 3000 & python3 sctp.py echo ::1 3001 &
python3 sctp.py count 127.0.0.1 3002 & python3 sctp.py lazy 127.0.0.1 3003 & python3 sctp.py echo 127.0.0.1 3004 2 & wait'
sctp() { timeout 90 python3 "$work/sctp.py" "$@"; }
gives() { # TEXT ARGUMENT...
    [ "$(sctp "${@:2}")" = "$1" ]
}
start_kit --net=none --port-driver=builtin -p 4000:3000/sctp -p '127.0.0.1:4001:[::1]:3001/sctp4' \
    -p '[::1]:4002:3002/sctp6' -p 4003:3003/sctp -p 4004:3999/sctp -p 4005:3004/sctp sh -c "$servers"
ok "a published port answers" wait_for 60 gives x first 127.0.0.1 4000
ok "the others, too" wait_for 60 gives "0 0" send ::1 4002 0
is "messages of every size and stream come back as they were" "$(sctp same 127.0.0.1 4000)" same
is "by IPv6 to an IPv4 service" "$(sctp same ::1 4000)" same
is "by IPv4 to an IPv6 service" "$(sctp same 127.0.0.1 4001)" same
is "nobody listens in the child: the association is aborted" "$(sctp first 127.0.0.1 4004)" ECONNRESET
is "50 associations at once" "$(sctp many 127.0.0.1 4000 50)" 50
is "3000 messages, none lost, none cut" "$(sctp send ::1 4002 3000 | cut -d ' ' -f 1)" 3000
is "to one that does not read for a while" "$(sctp send 127.0.0.1 4003 3000 | cut -d ' ' -f 1)" 3000
is "a message of 200 KiB" "$(sctp long 127.0.0.1 4000 204800)" same
is "one that is too long aborts the association" "$(sctp long 127.0.0.1 4000 400000)" ECONNRESET
is "so does a stream that the service does not take" "$(sctp same 127.0.0.1 4005)" ECONNRESET
is "the next one works" "$(sctp first 127.0.0.1 4000)" x
like "list-ports does not know who listens" "$(ctl list-ports --json | head -n 1)" '"proto":"sctp".*"listening":null'

timeout 90 python3 "$work/sctp.py" hold 127.0.0.1 4000 >"$work/held" &
client=$!
wait_for 60 grep -q connected "$work/held" || true
like "an association is a flow" "$(ctl flows --json)" '"proto":"sctp","direction":"published","state":"open","portID":1,'
ctl remove-ports 1 >/dev/null
wait "$client" || true
is "removing a port aborts its associations" "$(tail -n 1 "$work/held")" ECONNRESET
is "and nobody listens" "$(sctp first 127.0.0.1 4000)" ECONNREFUSED
is "the same again" "$(ctl add-ports 4000:3000/sctp)" 7
timeout 90 python3 "$work/sctp.py" hold 127.0.0.1 4000 >"$work/held" &
client=$!
wait_for 60 grep -q connected "$work/held" || true
ctl remove-ports --drain=60 7 >"$work/drain" &
drain=$!
ok "while one drains new clients are refused" wait_for 60 gives ECONNREFUSED first 127.0.0.1 4000
ok "and it waits" kill -0 "$drain"
kill "$client"
wait "$client" 2>/dev/null || true
status=0
wait "$drain" || status=$?
is "until its last association has ended" "$status $(cat "$work/drain")" "0 7"
run ctl add-ports 4002:3002/sctp
like "a port that is published already" "$err" "^error: conflict with ID 3"
ctl add-ports 4002:3002/tcp >/dev/null
pass "not for another protocol"
# What is left of many, and of those whose clients give up while the service sleeps.
ctl add-ports 4000:3000/sctp >/dev/null
plane=$(plane)
before=$(fds "$plane")
clients=()
for i in 1 2 3 4 5; do
    timeout 90 python3 "$work/sctp.py" many 127.0.0.1 4000 20 >"$work/many.$i" &
    clients+=($!)
done
timeout 3 python3 "$work/sctp.py" many 127.0.0.1 4003 20 >/dev/null &
clients+=($!)
wait "${clients[@]}" || true
is "100 associations of five clients" "$(cat "$work"/many.* | sort | uniq -c | xargs)" "5 20"
few() { [ "$(fds "$plane")" -le "$before" ]; }
ok "none leaves an fd behind" wait_for 180 few
[ "$rc" -eq 0 ] || note "$(ctl flows)"
stop_kit
done_testing
