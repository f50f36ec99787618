#!/bin/bash
# rootless-setup run and shell: fresh namespaces, their network, the terminal.
set -eu
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"
use_programs
use_network
use_resolver
serve_pages
make_user session
install -m 644 "$(dirname "$0")/../rootlesskit/terminal.py" "$work/"
rs() { as_user timeout 30 rootless-setup "$@"; }

is "run: root, with the caller's sub-ids" "$(rs run -- sh -c 'id -u; wc -l </proc/self/uid_map' | xargs)" "0 2"
# shellcheck disable=SC2016 # for the shell inside
is "run: in the caller's folder and home" "$(rs run sh -c 'echo $PWD $HOME')" "$home $home"
is "run: a network that leads out, by name" "$(rs run -- curl -sS http://remote.example:8000/)" remote
is "run: not to the machine's loopback" "$(rs run -- curl -sS --max-time 5 http://10.0.2.2:8000/ 2>/dev/null)" ""
run rs run -- sh -c 'exit 11'
is "run: the command's status" "$rc" 11
run rs run --net=none -- sh -c 'ls /sys/class/net'
is "run --net=none" "$(xargs <<<"$out")" "lo"
run rs run --net=host -- ip -o link
like "run --net=host" "$out" cable0
port=$(free_port)
start_as_user rootless-setup run -p "127.0.0.1:$port:80/tcp" -- \
    python3 -m http.server --directory "$work/remote" 80 >"$work/log" 2>&1
ok "run --publish" wait_for 30 gives "127.0.0.1:$port" remote
kill -TERM "$pid"
wait "$pid" || true
ok "which ends with it" wait_for 10 sh -c "! pgrep -u $uid"

on_tty() { # STEPS COMMAND...
    printf '%s\n' "$1" >"$work/steps"
    run as_user python3 "$work/terminal.py" "$work/steps" "${@:2}"
}
printf 'PS1="mine> "\n' >"$home/.bashrc"
for options in --net=host --net=auto; do
    env_user=(SHELL=/bin/bash)
    # shellcheck disable=SC2016 # for the shell inside
    on_tty 'await \(rootless\) mine>
send echo I""AM $(id -u) $ROOTLESS_SETUP_SHELL [${PROMPT_COMMAND-}]\n
await IAM 0 rootless \[\]
send sh -c "echo U""P; exec sleep 100"\n
await UP
send \x1a
await Stopped
send kill -KILL %1; disown %1; exit 7\n' rootless-setup shell $options
    is "shell: bash with job control, and its status ($options)" "$rc" 7
    unlike "shell: it has its terminal, and the prompt says where it is ($options)" "$out" \
        "cannot set terminal|no job control|never came"
done
env_user=(SHELL=/bin/sh)
on_tty 'await \(rootless\) #
send exit 3\n' rootless-setup shell --net=host
is "shell: sh has a prompt that says so too" "$rc" 3
env_user=(SHELL=/nowhere/shell)
on_tty 'await \(rootless\) #
send exit 4\n' rootless-setup shell --net=host
is "shell: one that does not exist is replaced by the account's" "$rc" 4
env_user=()

usage() { # NAME SAYS ARG...
    run rs "${@:3}"
    is "$1: a usage error" "$rc" 2
    like "$1: that says so" "$err" "^rootless-setup: [^"$'\n'"]*$2[^"$'\n'"]*$"
}
usage "run without a command" "a command is missing" run
usage "shell with a command" "use rootless-setup run" shell ls
usage "an unknown engine" "unknown engine \"rkt\", it must be one of: docker" run --engine rkt -- true
usage "--net with an engine" "--net is for fresh namespaces" run --engine docker --net=none -- true
usage "--publish with an engine" "--publish is for fresh namespaces" shell --engine docker -p 1:1/tcp
usage "--state-dir without one" "add --engine" run --state-dir=/x -- true
usage "--detached-network without one" "add --engine" run --detached-network -- true
run rs run --engine docker -- true
is "an engine that does not run" "$rc" 1
like "is an error that says how to start it" "$err" "^rootless-setup: Docker does not run for you.*rootless-setup launch docker"
mkdir -p "$runtime/dockerd-rootless"
echo 1 >"$runtime/dockerd-rootless/child_pid"
: >"$runtime/dockerd-rootless/lock"
chown -R "$user" "$runtime/dockerd-rootless"
run rs run --engine docker -- true
like "so is one that was killed" "$err" "Docker does not run for you"
run rs run --engine k3s -- true
like "one without a way in" "$err" "k3s keeps its namespaces to itself"
run rs run --dry-run -- echo 'a b'
like "--dry-run" "$out" "rootlesskit --net=auto .* -- echo 'a b'$"
done_testing
