# shellcheck shell=bash
# Sourced by the tests of `rootless-setup check`, on top of lib.sh: two users, sub-id files of the
# test's own, and what a run of check is expected to say.
# shellcheck source=../lib.sh
. "$SOURCE_ROOT/tests/integration/lib.sh"
# shellcheck source=../schema.sh
. "$SOURCE_ROOT/tests/integration/schema.sh"

use_programs
alice=47101 bob=47102
for entry in "alice $alice" "bob $bob"; do
    read -r name id <<<"$entry"
    echo "rltest-$name:x:$id:$id::$work/home-$name:/bin/sh" >>/etc/passwd
    echo "rltest-$name:x:$id:" >>/etc/group
    install -d -m 700 -o "$id" -g "$id" "$work/home-$name" "$work/run-$name"
done
mkdir "$work/stub"

ranges() { # LINE...: both files consist of these lines
    printf '%s\n' "$@" >/etc/subuid
    printf '%s\n' "$@" >/etc/subgid
}

setup=$bin/rootless-setup
path=$bin:/usr/bin:/bin
runtime=$work/run-alice
command -v python3 >/dev/null || skip_all "no python3"
setpriv=$(command -v setpriv) # tests change $PATH
python=$(python3 -c 'import sys; print(sys.executable)')

# What her login runs under, as (prlimit --nofile=512:512), and with which options of setpriv.
within=() session=()
as_alice() { # COMMAND...: as a login of hers would run it
    "${within[@]}" env -i PATH="$path" HOME="$work/home-alice" ${runtime:+XDG_RUNTIME_DIR="$runtime"} \
        "$setpriv" --reuid "$alice" --regid "$alice" --clear-groups "${session[@]}" "$@"
}

check() { # ARGS...: as alice, JSON to $out, exit status in $rc
    run as_alice "$setup" check --json "$@"
}

# expect WHAT RC ID STATUS TEXT [REMEDY]: the exit status, that check's status, a text in its
# evidence or cause, a text in one of its remedies
expect() {
    local answer
    printf '%s\n' "$out" >"$work/json"
    if answer=$("$python" -IS - "$work/json" "$rc" "${@:2}" 2>&1 <<'END'
import json, sys
path, rc, want_rc, ident, status, text, *remedy = sys.argv[1:]
check = next(c for c in json.load(open(path))["checks"] if c["id"] == ident)
assert rc == want_rc, f"exit status {rc}, not {want_rc}: {check}"
assert check["status"] == status, f"status {check['status']}, not {status}: {check}"
said = check["evidence"] + "\n" + (check["cause"] or "")
assert text in said, f"{text!r} not in {said!r}"
lines = "\n".join(line for kind in check["remedy"].values() for line in kind)
for word in remedy:
    assert word in lines, f"{word!r} not in remedies {lines!r}"
END
    ); then
        pass "$1"
    else
        fail "$1" "$answer"$'\n'"$err"
    fi
}

# What runs out under many containers: another process of hers holds it.
holding() { # PYTHON: runs it as alice, which then waits; sets holder
    rm -f "$work/held"
    as_alice "$python" -IS -c "$1
import os, time
print(os.getpid(), flush=True)
time.sleep(600)" >"$work/held" &
    job=$!
    wait_for 30 grep -qs . "$work/held"
    holder=$(cat "$work/held")
}

let_go() {
    kill "$holder"
    wait "$job" || true
}

bus() { # ANSWER: a socket that says it to whoever logs in
    holding "
import os, socket, threading
path = '$work/run-alice/bus'
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen()
def serve():
    while True:
        peer = listener.accept()[0]
        ok = peer.recv(100) == b'\\0AUTH EXTERNAL ' + b'$alice'.hex().encode() + b'\\r\\n'
        peer.sendall(b'$1' if ok else b'REJECTED\\r\\n')
threading.Thread(target=serve, daemon=True).start()"
}
