#!/bin/bash
# How check is used: options, exit statuses, both outputs, and that nothing is left behind.
set -eu
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

ranges "rltest-alice:3000000:65536"

check
like "a full run ends with 0 or 1" "$rc" "^[01]$"

counted() { # JSON: the summary counts what is in it
    "$python" -IS -c '
import json, sys
report = json.loads(sys.argv[1])
for status, n in report["summary"].items():
    assert n == sum(check["status"] == status for check in report["checks"]), status
' "$1"
}
fits "--json of a full run fits docs/check-schema.json" check "$out"
printf '%s\n' "$out" >"$work/json"
ok "the summary is right" counted "$out"
runtime="" check
fits "--json with failures fits too" check "$out"
ok "its summary is right" counted "$out"

# Every check has its section.
undocumented=$("$python" -c 'import json, sys; [print(c["id"]) for c in json.load(sys.stdin)["checks"]]' \
    <"$work/json" | while read -r id; do grep -qx "## $id" "$SOURCE_ROOT/docs/checks.md" || echo "$id"; done)
is "docs/checks.md describes every check" "$undocumented" ""

run "$setup" check --help
missing=$(grep -oE -e '--[a-z]+' <<<"$out" | sort -u | grep -vxE -e '--(help|version|completion)' |
    while read -r option; do
        grep -q "Fl -${option#--}" "$SOURCE_ROOT/man/rootless-setup-check.1" || echo "$option"
    done)
is "the manual has every option" "$missing" ""

run as_alice "$setup" check subid runtime-dir
is "text: exit status" "$rc" 0
like "text: one aligned line a check" "$out" $'\nok       subordinate ids  65536 uids'
like "text: a verdict" "$out" "rltest-alice is ready for rootless engines, as far as checked"
unlike "no colour for a pipe" "$out" $'\033'
run as_alice "$setup" check --color=always subid
like "colour for --color=always" "$out" $'\033\\[32mok'

# On a terminal.
tty() { # COLUMNS COMMAND...
    local text="stty cols $1;"
    shift
    run as_alice script -qec "$text $(printf ' %q' "$@")" /dev/null
    out=$(tr -d '\r' <<<"$out")
}
unfolded() { # COLUMNS TEXT: lines that are longer, though they have a blank to break at
    "$python" -IS - "$@" <<'END'
import re, sys
width, text = int(sys.argv[1]), re.sub("\033[^m]*m", "", sys.argv[2]).split("\nRemedies,")[0]
for line in text.splitlines()[2:]:
    indent = len(line) - len(line.lstrip())
    if len(line.rstrip()) > width and len(line.split()) > 1 and not line.rstrip().endswith("):"):
        print(line)
END
}
runtime="" tty 80 env TERM=xterm "$setup" check
like "a terminal gets colour" "$out" $'\033\\[31mfailed'
for columns in 40 80 200; do
    runtime="" tty $columns "$setup" check
    is "$columns columns: every line is folded" "$(unfolded $columns "$out")" ""
    like "$columns columns: commands are not" "$out" "\n*install -d -m 0700 -o $alice -g $alice /run/user/$alice"
done
like "what failed is explained first" "$out" $'\nWhy:\n[^\n]*failed[^\n]*\\(runtime-dir\\): '
unlike "200 columns: one line a check" "$out" $'\n        '
tty 80 env TERM=xterm NO_COLOR=1 "$setup" check subid
unlike "NO_COLOR: none" "$out" $'\033'
tty 80 env TERM=xterm NO_COLOR= "$setup" check subid
like "NO_COLOR that is empty: colour" "$out" $'\033'
tty 80 env TERM=xterm NO_COLOR=1 "$setup" check --color=always subid
like "--color=always goes before NO_COLOR" "$out" $'\033'
tty 80 env TERM=xterm "$setup" check --color=never subid
unlike "--color=never: none" "$out" $'\033'
tty 80 env TERM=dumb "$setup" check subid
unlike "a dumb terminal gets none" "$out" $'\033'
tty 80 "$setup" check --json subid
unlike "--json has none" "$out" $'\033'

if [ -c /dev/net/tun ]; then
    chmod 600 /dev/net/tun
    run as_alice "$setup" check net.tun net.ping subid
    like "what root can set is named" "$out" "Or let it be set: sudo rootless-setup fix net.tun$"
    run "$setup" check --user rltest-alice net.tun
    like "... for root with the user" "$out" "Or let it be set: rootless-setup fix net.tun --user rltest-alice$"
    chmod 666 /dev/net/tun
    run as_alice "$setup" check net.tun
    unlike "... and not when all is well" "$out" "let it be set"
else
    skip "what root can set is named" "no /dev/net/tun here"
fi

runtime="" run as_alice "$setup" check runtime-dir
sed -n '/^sudo sh/,$p' <<<"$out" | sed '$d' >"$work/script"
like "remedies: a script for root" "$(cat "$work/script")" "^sudo sh .*install -d .*export XDG"
ok "remedies: a shell can read it" bash -n "$work/script"

runtime="" run as_alice "$setup" check --quiet runtime-dir
is "--quiet says nothing but the exit status" "$rc:$out$err" "1:"

chmod 755 "$work/run-alice"
check runtime-dir
is "a warning: exit status 0" "$rc" 0
check --strict runtime-dir
is "a warning under --strict: 2" "$rc" 2
chmod 700 "$work/run-alice"
check runtime-dir subid --strict
is "no warning under --strict: 0" "$rc" 0

refused() { # WHAT TEXT COMMAND...: status 2, one line with TEXT on stderr, nothing on stdout
    local what=$1 text=$2
    shift 2
    run "$@"
    like "$what" "$rc:$out:$(wc -l <<<"$err"):$err" "^2::1:rootless-setup: .*$text"
}
refused "an unknown check" 'unknown check "nonsense"' as_alice "$setup" check nonsense
refused "an unknown option" "--nonsense" as_alice "$setup" check --nonsense
refused "a wrong colour" "--color" as_alice "$setup" check --color=red
refused "root must name a user" "--user USER" "$setup" check
refused "root is no subject" "is root" "$setup" check --user root
refused "no such user" 'no user "rltest-nobody"' "$setup" check --user rltest-nobody
refused "another user's readiness is root's to ask" "only root" as_alice "$setup" check --user rltest-bob

run env PATH="$path" XDG_RUNTIME_DIR="$work/run-alice" "$setup" check --json --user rltest-alice \
    subid newuidmap newgidmap overlay runtime-dir
for id in subid newuidmap newgidmap overlay runtime-dir; do
    expect "root asks for alice: $id" 0 "$id" ok ""
done
run env PATH="$path" XDG_RUNTIME_DIR="$work/run-bob" "$setup" check --json --user $alice runtime-dir
expect "root's own XDG_RUNTIME_DIR is not taken for alice's" 1 runtime-dir failed "/run/user/$alice"

# Nothing stays: no process, mount, file or device, even when killed at any moment.
state() {
    find "$work/home-alice" "$work/run-alice" | sort
    pgrep -u $alice || true
    wc -l </proc/self/mountinfo
    find /tmp /var/tmp /run -maxdepth 2 -user $alice 2>/dev/null | sort
}
before=$(state)
as_before() {
    [ "$(state)" = "$before" ]
}
check
wait_for 10 as_before || true # a process that dies is seen for a moment
is "a run leaves nothing" "$(state)" "$before"
for delay in 0.005 0.01 0.02 0.03 0.04 0.05 0.07; do
    as_alice "$setup" check --quiet &
    victim=$!
    sleep $delay
    kill -KILL $victim 2>/dev/null || true
    wait $victim 2>/dev/null || true
done
wait_for 30 as_before || true
is "a killed run leaves nothing" "$(state)" "$before"

done_testing
