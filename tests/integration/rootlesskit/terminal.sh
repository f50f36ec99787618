#!/bin/bash
# On a terminal: job control, and each key's signal once.
set -eu
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
use_programs
install -m 644 "$(dirname "$0")/terminal.py" "$work/"
make_kit_user tty

# on_tty STEPS COMMAND...: STEPS as terminal.py reads them
on_tty() {
    printf '%s\n' "$1" >"$work/steps"
    run as_user python3 "$work/terminal.py" "$work/steps" "${@:2}"
}
# The prompt tells the shell's last status; what is typed is echoed, so results are spelled otherwise.
shell=(env 'PS1=[$?]> ' bash --norc --noprofile -i)
for options in "" "--pidns" "--pidns --reaper=false" "--net=gateway --port-driver=builtin --pidns"; do
    # shellcheck disable=SC2086 # words
    on_tty 'await \[0\]>
send sh -c "echo U""P; exec sleep 100"\n
await UP
send \x03
await \[130\]>
send sh -c "echo U""P; exec sleep 100"\n
await UP
send \x1a
await \[148\]>
send kill -KILL %1; disown %1; exit 7\n' rootlesskit $options "${shell[@]}"
    is "a shell with job control: Ctrl-C, Ctrl-Z, exit status (${options:-alone})" "$rc" 7
    unlike "it has its terminal (${options:-alone})" "$out" "cannot set terminal|no job control|never came"

    # shellcheck disable=SC2086,SC2016 # words; for the shell inside
    on_tty 'await UP
send \x03
await GOT
send \x1c' rootlesskit $options sh -c 'trap "echo GOT" INT; trap "exit 8" QUIT; echo UP; while :; do sleep 0.1; done'
    is "Ctrl-C reaches the command once (${options:-alone})" "$(grep -c GOT <<<"$out")" 1
    is "and Ctrl-\\ ends it as it likes (${options:-alone})" "$rc" 8
done

# rootlesskit as a job of the user's shell.
on_tty 'await \[0\]>
send rootlesskit sh -c "echo U""P; exec sleep 100"\n
await UP
send \x1a
await \[148\]>
send bg; kill -TERM %1; wait %1; echo "<$?>"\n
await <255>
await \[0\]>
send exit 3\n' "${shell[@]}"
is "rootlesskit itself stops and goes on as a job" "$rc" 3
on_tty 'await \[0\]>
send rootlesskit sh -c "sleep 0.5; echo MA""DE" &\n
await MADE
send \n
await \[0\]>
send wait; exit 5\n' "${shell[@]}"
is "and works in the background" "$rc" 5
ok "no process is left" wait_for 5 family_gone
done_testing
