#!/bin/bash
# rootlesskit-api: every route, what it refuses, whom it refuses, and its life beside the parent.
set -eu
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
json=application/json

serve_from "$state"
request /v1/info
is "info: status" "$status $type" "200 $json"
is "info: all of it" "$body" "{\"apiVersion\":\"1.1.2\",\"version\":\"$(rootlessctl --version | sed 's/.* //')\",\"stateDir\":\"$state\",\"childPID\":4242,\"networkDriver\":{\"driver\":\"gateway\",\"dns\":[\"10.0.2.3\"],\"childIP\":\"10.0.2.100\"},\"portDriver\":{\"driver\":\"builtin\",\"protos\":[\"tcp\",\"tcp4\"],\"extra\":{\"sourceIPTransparentBackend\":\"nft\"}}}"
like "the version is a semver" "$body" '"version":"[0-9]+\.[0-9]+\.[0-9]+'

request /v1/flows
is "flows: each with what is known of it" "$status $type $body" "200 $json [$(paste -sd, <<'END'
{"proto":"tcp","direction":"outbound","state":"open","childIP":"10.0.2.100","childPort":40000,"remoteIP":"10.0.2.2","remotePort":80,"dialledIP":"127.0.0.1","dialledPort":80,"sentBytes":100,"receivedBytes":5000000000,"ageSeconds":61,"idleSeconds":1}
{"proto":"tcp","direction":"outbound","state":"held","childIP":"10.0.2.100","childPort":40001,"sentBytes":0,"receivedBytes":0,"ageSeconds":0,"idleSeconds":0}
{"proto":"tcp","direction":"published","state":"ending","portID":7,"remoteIP":"2001:db8::1","remotePort":50000,"sentBytes":0,"receivedBytes":0,"ageSeconds":0,"idleSeconds":0}
{"proto":"udp","direction":"outbound","state":"mapped","childIP":"10.0.2.100","childPort":5353,"sentBytes":0,"receivedBytes":0,"ageSeconds":0,"idleSeconds":0}
{"proto":"udp","direction":"published","state":"connecting","portID":4294967295,"sentBytes":9223372036854775807,"receivedBytes":9223372036854775807,"ageSeconds":4294967295,"idleSeconds":4294967295}
END
)]"
request /v1/metrics
is "metrics: OpenMetrics" "$status $type" "200 application/openmetrics-text; version=1.0.0; charset=utf-8"
is "metrics: the end is marked" "${body##*$'\n'}" "# EOF"

request /v1/ports
is "no ports: null, as clients know it" "$status $type $body" "200 $json null"
request -d '{"proto":"tcp","parentIP":"127.0.0.1","parentPort":8080,"childPort":80,"childIP":"10.0.2.100"}' /v1/ports
is "add: 201 and what was kept" "$status $type $body" "201 $json {\"id\":1,\"spec\":{\"proto\":\"tcp\",\"parentIP\":\"127.0.0.1\",\"parentPort\":8080,\"childPort\":80,\"childIP\":\"10.0.2.100\"}}"
request -d '{"proto":"tcp","parentPort":8081,"childPort":81}' /v1/ports
is "add: empty fields are left out" "$body" '{"id":2,"spec":{"proto":"tcp","parentPort":8081,"childPort":81}}'
answers "add: a field it does not know is ignored" 201 '"id":3,' -d '{"proto":"tcp","parentPort":8082,"childPort":82,"new":[1]}' /v1/ports
request /v1/ports
like "list: by id" "$body" '^\[\{"id":1,.*\{"id":2,.*\{"id":3,.*\]$'
request -X DELETE /v1/ports/2
is "remove: 200 and nothing else" "$status $body" "200 "
request /v1/ports
unlike "remove: it is gone" "$body" '"id":2,'
request -X DELETE /v1/ports/2
is "remove: an unknown id" "$status $type $body" "400 $json {\"message\":\"unknown id: 2\"}"
answers "remove: a bad id" 400 '"message":"bad id: ' -X DELETE /v1/ports/abc
answers "remove: a negative id" 400 '"message":"bad id: ' -X DELETE /v1/ports/-1
answers "remove: an id beyond 32 bits" 400 '"message":"bad id: ' -X DELETE /v1/ports/4294967297
answers "remove: an id with more behind a NUL" 400 '"message":"bad id: ' -X DELETE /v1/ports/1%002
answers "remove: bytes that are no text" 400 '"message":"bad id: ' -X DELETE /v1/ports/%ff%fe

for path in / /v1 /v1/ /v1/port /v2/info /v1/info/ /v1/ports/ /v1/ports/1/2 //v1/info; do
    answers "404: $path" 404 '^404 page not found$' --path-as-is "$path"
done
for what in POST:/v1/info DELETE:/v1/info PUT:/v1/ports DELETE:/v1/ports GET:/v1/ports/1 POST:/v1/ports/1; do
    answers "405: $what" 405 '^$' -X "${what%%:*}" "${what#*:}"
done

while IFS='|' read -r name data ere; do
    request -d "$data" /v1/ports
    if [ "$status $type" = "400 $json" ] && [[ $body =~ ^\{\"message\":\".*\"\}$ ]] && [[ $body =~ $ere ]]; then
        pass "add: $name"
    else
        fail "add: $name" "status $status $type, body $body"
    fi
done <<'END'
no JSON|bad|cannot read the body as JSON
half an object|{"proto":"tcp"|cannot read the body as JSON
two values|{}{}|cannot read the body as JSON
a list|[]|must be a JSON object
null|null|must be a JSON object
nothing in it|{}|parentPort must be a port
a number for a string|{"proto":1,"parentPort":9000,"childPort":80}|proto must be a string
a string for a number|{"proto":"tcp","parentPort":"9000","childPort":80}|parentPort must be a port
a fraction|{"proto":"tcp","parentPort":9000.5,"childPort":80}|parentPort must be a port
port 65536|{"proto":"tcp","parentPort":65536,"childPort":80}|parentPort must be a port
port -1|{"proto":"tcp","parentPort":9000,"childPort":-1}|childPort must be a port
port 2^64|{"proto":"tcp","parentPort":18446744073709551616,"childPort":1}|cannot read the body as JSON
port 0 inside|{"proto":"tcp","parentPort":9000,"childPort":0}|invalid ChildPort
an unknown protocol|{"proto":"http","parentPort":9000,"childPort":80}|unknown proto: ."http
a name for an address|{"proto":"tcp","parentIP":"localhost","parentPort":9000,"childPort":80}|invalid ParentIP
a bad child address|{"proto":"tcp","parentPort":9000,"childIP":"1.2.3","childPort":80}|invalid ChildIP
the other family|{"proto":"tcp4","parentIP":"::1","parentPort":9000,"childPort":80}|invalid ParentIP
a NUL in a string|{"proto":"tcp\u0000","parentPort":9000,"childPort":80}|proto must not have a NUL
the same key twice|{"proto":"tcp","proto":"tcp","parentPort":9000,"childPort":80}|cannot read the body as JSON
a long string|{"proto":"tcptcptcptcptcp","parentPort":9000,"childPort":80}|proto must be a string
the port of another|{"proto":"tcp","parentPort":8080,"childPort":80}|conflict with ID 1
END
printf '[%.0s' {1..5000} >"$work/deep"
answers "add: nested 5000 deep" 400 'cannot read the body as JSON' --data-binary "@$work/deep" /v1/ports
answers "add: no body" 400 'cannot read the body as JSON' -X POST /v1/ports
head -c 65537 /dev/zero | tr '\0' ' ' >"$work/long"
answers "add: a body one byte too long" 400 'longer than 65536 bytes' --data-binary "@$work/long" /v1/ports
{ add 9001; head -c 60000 "$work/long"; } >"$work/padded"
answers "add: a body that just fits" 201 '"id"' --data-binary "@$work/padded" /v1/ports
answers "add: in pieces" 201 '"id"' -H 'Transfer-Encoding: chunked' -d "$(add 9002)" /v1/ports
head -c 100M /dev/zero >"$work/huge"
request -H 'Expect:' --data-binary "@$work/huge" /v1/ports
isnt "add: 100 MiB are not taken" "$status" 201
request -H "X-Long: $(head -c 100000 "$work/long" | tr ' ' x)" /v1/info
isnt "a header of 100 kB is not taken" "$status" 200
answers "after all that: still there" 200 '"childPID":4242' /v1/info
is "and still the first server" "$(starts)" 1
rm -f "$work/huge"

# Fifty at once, half of them for the same ports as the other half.
for i in {1..50}; do
    curl -s --unix-socket "$state/api.sock" -o /dev/null -w '%{http_code}\n' \
        -d "$(add $((10000 + i % 25)))" http://u/v1/ports >"$work/parallel.$i" &
    added[i]=$!
done
wait "${added[@]}" || true
is "50 adds at once: one of each pair is kept" "$(cat "$work"/parallel.* | sort | uniq -c | xargs)" "25 201 25 400"
request /v1/ports
is "50 adds at once: the list has them in order" \
    "$(grep -o '"id":[0-9]*' <<<"$body")" "$(grep -o '"id":[0-9]*' <<<"$body" | sort -t: -k2n)"

# Clients that connect and say nothing, or half of it, do not keep others out.
if command -v python3 >/dev/null; then
    python3 - "$state/api.sock" >"$work/slow" <<'END' &
import socket, sys, time
held = []
for i in range(100):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    s.sendall([b"", b"GET /v1/in", b"POST /v1/ports HTTP/1.1\r\nHost: u\r\nContent-Length: 50\r\n\r\n{",
               b"\x16\x03\x01\x00\xff\x00\r\n\r\n"][i % 4])
    held.append(s)
for i in range(500):  # these do not wait for their answers
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    s.sendall(b"GET /v1/info HTTP/1.1\r\nHost: u\r\n\r\n")
    s.close()
print("held", flush=True)
time.sleep(60)
END
    slow=$!
    wait_for 20 grep -q held "$work/slow" || true
    answers "100 silent clients: others are served" 200 '"childPID"' /v1/info
    kill "$slow"
else
    skip "100 silent clients: others are served" "no python3"
fi
is "no server but the first was needed" "$(starts)" 1

# Who has nobody to serve ends, and is there again for the next.
first=$(head -n 1 "$state/starts")
ok "idle: it ends" wait_for 60 test ! -d "/proc/$first"
request /v1/ports
like "idle: the next request starts another, nothing is lost" "$status $body" '^200 .*"id":1,'
is "idle: that is the second" "$(starts)" 2
second=$(tail -n 1 "$state/starts")
kill -KILL "$second"
ok "a killed server is replaced, too" wait_for 20 curl -sf --unix-socket "$state/api.sock" http://u/v1/info
is "the parent saw one bad end, the killed one" "$(grep -c 'ended with wait status' "$work/parent.log")" 1

# Only the owner and root: also where the socket's mode would let others in.
make_user api none
make_user other none
use_user api
install -d -o "$user" -g "$user" -m 755 "$work/theirs"
start_as_user "$bin/api-parent" "$work/theirs" "$server" 2>>"$work/parent.log"
state=$work/theirs
wait_for 10 test -S "$state/api.sock"
is "the socket is the owner's alone" "$(stat -c '%a %U' "$state/api.sock")" "600 $user"
ask=(curl -sS --max-time 20 --unix-socket "$state/api.sock" http://u/v1/info)
ok "the owner is served" as_user "${ask[@]}"
ok "root is served" "${ask[@]}"
use_user other
fails "another user is not: the mode" as_user "${ask[@]}"
chmod 777 "$state/api.sock"
fails "another user is not: who asks" as_user "${ask[@]}"
like "he gets no answer at all" "$err" 'Empty reply'
use_user api
ok "the owner still is" as_user "${ask[@]}"

mkdir "$work/empty"
serve_from "$work/empty" empty
request /v1/info
unlike "no drivers: info names none" "$body" 'Driver'
answers "no port driver: 400" 400 'no PortDriver is available' -d "$(add 8080)" /v1/ports

mkdir "$work/die"
serve_from "$work/die" die
request -d "$(add 8080)" /v1/ports
isnt "the parent ends: no success" "$status" 201
ok "the parent ends: the server, too" wait_for 10 test ! -d "/proc/$(head -n 1 "$state/starts")"

fails "by hand it says who starts it" "$server"
like "and what" "$err" 'started by rootlesskit'
done_testing
