#!/bin/bash
# Docker of Debian's package, started by rootless-setup launch alone.
set -eu
# shellcheck source=common.sh
. "$(dirname "$0")/common.sh"

command -v dockerd >/dev/null || skip_all "no docker.io"
use_programs
use_network
use_resolver
serve_pages
make_user launch
state=$runtime/dockerd-rootless

docker() { as_user /usr/bin/docker "$@"; }
env_user=("DOCKER_HOST=unix://$runtime/docker.sock")

# The main job.
ok "dockerd answers" start docker docker version
make_rootfs "$work/rootfs" page
tar -C "$work/rootfs" -c . | docker import - image >/dev/null
docker run -d --stop-signal KILL --name web -p 8080:80 image httpd -f -p 80 -h /www >/dev/null
ok "a container's published port answers" wait_for 30 gives 127.0.0.1:8080 page
is "for a remote client too" "$(on_remote curl -sS --max-time 5 "http://$machine:8080/")" page
is "a container reaches a remote server by name" "$(docker run --rm image wget -qO- http://remote.example:8000/)" remote
isnt "it does not reach the machine's loopback" "$(docker run --rm image wget -T 3 -qO- http://10.0.2.2:8000/ 2>&1)" machine
like "Docker says that it is rootless" "$(docker info --format '{{.SecurityOptions}}')" rootless

# What was prepared inside.
is "the machine's own engine directories are out of the way" \
    "$(inside find /run/docker /run/containerd /run/xtables.lock -maxdepth 0 -type l 2>/dev/null)" ""
is "forwarding is on" "$(inside cat /proc/sys/net/ipv4/ip_forward)" 1
ok "certificates are read without a link" inside test ! -L /etc/ssl -a -d /etc/ssl/certs

# A second one.
run launch docker
is "a second one does not start" "$rc" 1
like "and says which one is there" "$err" "^rootless-setup: Docker already runs for you.*$state.*kill $(cat "$state/child_pid")$"
is "in one line" "$(wc -l <<<"$err")" 1
ok "which is as it was" docker version

# Its namespaces.
is "run --engine: the container's address is reached" \
    "$(run_in docker wget -qO- "http://$(docker inspect -f '{{.NetworkSettings.IPAddress}}' web)/")" page
# shellcheck disable=SC2016 # for the shell inside
is "as root, in the caller's folder" "$(run_in docker sh -c 'echo $(id -u) $PWD')" "0 $home"
like "the engine's variables are set" "$(run_in docker env)" "ROOTLESSKIT_STATE_DIR=$state"
like "the caller is told" "$(run_in docker env)" "ROOTLESSKIT_PARENT_EUID=$uid"
is "docker works in there" "$(run_in docker /usr/bin/docker ps -q --no-trunc)" "$(docker ps -q --no-trunc)"
is "from inside it is the same" "$(run_in docker rootless-setup run --engine docker -- env | grep -E 'PARENT_EUID')" \
    "ROOTLESSKIT_PARENT_EUID=$uid"
run run_in docker sh -c 'exit 7'
is "the exit status is the command's" "$rc" 7
run run_in docker /nowhere/command
is "a command that does not exist is an error" "$rc" 1
like "that names it" "$err" "/nowhere/command"

# The ends.
ok "SIGTERM ends it" stop
is "with status 0, the daemon's" "$status" 0
nothing_left SIGTERM
ok "again, with an argument of the daemon's" start docker docker version -- --label here=1
like "which has it" "$(docker info --format '{{.Labels}}')" here=1
ok "what it had is there" docker inspect web
kill -KILL "$pid"
wait "$pid" 2>/dev/null || true
nothing_left SIGKILL
ok "it starts again at once" start docker docker version
stop || true
run dockerd --no-such-option
refusal=$rc
run launch docker -- --no-such-option
is "the exit status is the daemon's" "$rc" "$refusal"
like "and so is what it says" "$err" "no-such-option"
nothing_left "a refusal"

# A service manager: it is told when the daemon is ready, and passes the socket.
start_as_user socat -u "UNIX-RECV:$runtime/notify" "OPEN:$home/notified,creat,append"
listener=$pid
wait_for 10 test -S "$runtime/notify"
env_user+=("NOTIFY_SOCKET=$runtime/notify")
ok "with NOTIFY_SOCKET" start docker grep -q READY=1 "$home/notified"
stop || true
like "the end is told as well" "$(tr '\0' '\n' <"$home/notified")" STOPPING=1
unset 'env_user[-1]'
kill "$listener"
if command -v systemd-socket-activate >/dev/null; then
    start_as_user systemd-socket-activate -E HOME -E XDG_RUNTIME_DIR -l "$runtime/passed.sock" rootless-setup launch docker -- -H fd:// >"$work/log" 2>&1
    wait_for 10 test -S "$runtime/passed.sock"
    ok "a passed socket reaches the daemon" wait_for 30 docker -H "unix://$runtime/passed.sock" version
    [ "$rc" -eq 0 ] || note "$(tail "$work/log")"
    stop
    nothing_left "activation"
else
    skip "a passed socket reaches the daemon" "systemd-socket-activate is not installed"
fi
done_testing
