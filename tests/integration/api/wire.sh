#!/bin/bash
# rootlesskit-api byte by byte: what Go's clients send and expect, what nobody should send, and a
# crowd of clients who only take places.
set -eu
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
# shellcheck source=results.sh
. "$(dirname "$0")/results.sh"
command -v python3 >/dev/null || skip_all "no python3"

serve_from "$state"
version=$(rootlessctl --version | sed 's/.* //')
results "" wire.py "$state/api.sock" "$version"
is "the first server was there all the time" "$(starts)" 1

# One who gives his body a byte at a time is in nobody's way.
python3 - "$state/api.sock" >"$work/slow" <<'END' &
import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b"POST /v1/ports HTTP/1.1\r\nHost: u\r\nContent-Length: 70\r\n\r\n")
for byte in b'{"proto":"tcp","parentIP":"127.0.0.1","parentPort":9900,"childPort":1}':
    s.sendall(bytes([byte]))
    time.sleep(0.02)
print(s.recv(4096).decode())
END
slow=$!
for i in 1 2 3 4 5; do
    answers "a slow body: another client's request $i" 200 '"childPID"' /v1/info
done
wait "$slow" || true
like "a slow body is taken in the end" "$(cat "$work/slow")" '201 Created'

request /v1/openapi.yaml
is "the API's description is served" "$status $type" "200 application/yaml"
is "as it is in the tree" "$body" "$(cat "$SOURCE_ROOT/docs/openapi.yaml")"
done_testing
